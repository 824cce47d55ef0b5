using System.Runtime.InteropServices;

namespace Bregman
{
    /// <summary>The result of one row.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public readonly struct DecodeResult
    {
        // The layout of bregman_result, written by the native library.
#pragma warning disable 649, 169
        private readonly int token;
        private readonly Status status;
        private readonly uint support;
        private readonly float p;
        private readonly float kept_mass;
        private readonly float model_logprob;
        private readonly float entropy;
        private readonly float ln_kept_mass;
#pragma warning restore 649, 169

        /// <summary>
        /// The token, from 0 to the vocabulary - 1; -1 unless <see cref="Status"/> is <see cref="Bregman.Status.Ok"/>.
        /// </summary>
        public int Token => token;

        /// <summary>
        /// <see cref="Bregman.Status.Ok"/>, or why this row has no token. The message is <see cref="Sampler.LastError"/> of
        /// the row's sampler.
        /// </summary>
        public Status Status => status;

        /// <summary>Number of tokens with positive probability under the decoded distribution. 0 without a token.</summary>
        public uint Support => support;

        /// <summary>The token's probability under the decoded distribution, in (0, 1]; NaN without a token.</summary>
        public float Probability => p;

        /// <summary>
        /// Probability mass of the support before truncation, in (0, 1]: under the distribution that the first truncating stage
        /// received, after mask, bias and temperature. 1 if no token was dropped. NaN unless
        /// <see cref="DecodeFlags.KeptMass"/>.
        /// </summary>
        public float KeptMass => kept_mass;

        /// <summary>
        /// Natural logarithm of the token's probability under the untouched logits (no mask, no bias, no stage, temperature 1).
        /// NaN unless <see cref="DecodeFlags.ModelLogProbability"/>, or if an untouched logit is NaN or +infinity.
        /// </summary>
        public float ModelLogProbability => model_logprob;

        /// <summary>
        /// Entropy of the decoded distribution, in nats. NaN unless <see cref="DecodeFlags.Entropy"/>.
        /// </summary>
        public float Entropy => entropy;

        /// <summary>
        /// Natural logarithm of the model's probability mass on the support, at most 0 and exact near it: under the untouched
        /// logits at the temperature that the first truncating stage received. NaN unless
        /// <see cref="DecodeFlags.LnKeptMass"/>, or if an untouched logit is NaN or +infinity.
        /// </summary>
        public float LnKeptMass => ln_kept_mass;
    }
}
