using System;
using Bregman.Interop;

namespace Bregman
{
    public sealed unsafe partial class Sampler
    {
        /// <summary>
        /// The decoded distribution of one row: what a drawing stage at the chain's end would draw from (one token if it is
        /// greedy). Draws nothing and advances nothing.
        /// </summary>
        /// <param name="logits">One logit for each token of the vocabulary. Only read.</param>
        /// <returns>
        /// The tokens in descending order of probability (ties: ascending id); they sum to 1 up to rounding. A chain that drops
        /// no token has as many as the vocabulary.
        /// </returns>
        /// <exception cref="ArgumentException">The logits are null or empty.</exception>
        /// <exception cref="BregmanException">As of <see cref="Decode(float[], DecodeFlags, uint[])"/>.</exception>
        public TokenProbability[] Distribution(float[] logits)
        {
            Row(logits, null);
            fixed (float* pointer = logits)
            {
                return Distribution(pointer, logits.Length);
            }
        }

        /// <summary>The decoded distribution of a row in memory that does not move.</summary>
        /// <param name="logits">The first of <paramref name="vocab"/> logits, aligned to 4 bytes. Only read.</param>
        /// <param name="vocab">Number of logits, at least 1.</param>
        /// <returns>As of <see cref="Distribution(float[])"/>.</returns>
        /// <exception cref="BregmanException">As of <see cref="Decode(float[], DecodeFlags, uint[])"/>.</exception>
        public TokenProbability[] Distribution(float* logits, int vocab)
        {
            const int Guess = 128;
            var fewIds = stackalloc int[Guess];
            var fewProbabilities = stackalloc float[Guess];
            if (TryDistribution(logits, vocab, fewIds, fewProbabilities, Guess, out var length))
            {
                return Pairs(fewIds, fewProbabilities, length);
            }
            var ids = new int[length];
            var probabilities = new float[length];
            fixed (int* idPointer = ids)
            fixed (float* pointer = probabilities)
            {
                TryDistribution(logits, vocab, idPointer, pointer, length, out length);
                return Pairs(idPointer, pointer, length);
            }
        }

        /// <summary>The decoded distribution of one row in the caller's arrays.</summary>
        /// <param name="logits">One logit for each token of the vocabulary. Only read.</param>
        /// <param name="ids">Receives the tokens in descending order of probability.</param>
        /// <param name="probabilities">Receives a probability for each; as long as <paramref name="ids"/>.</param>
        /// <param name="length">The number of tokens, also if the arrays cannot hold them.</param>
        /// <returns>Whether the arrays can hold the tokens; if not, nothing was written to them.</returns>
        /// <exception cref="ArgumentException">An array is null, the logits are empty, or the others differ in length.</exception>
        /// <exception cref="BregmanException">As of <see cref="Decode(float[], DecodeFlags, uint[])"/>.</exception>
        public bool TryDistribution(float[] logits, int[] ids, float[] probabilities, out int length)
        {
            Row(logits, null);
            NotNull(ids, nameof(ids));
            NotNull(probabilities, nameof(probabilities));
            SameLength(ids.Length, probabilities.Length, nameof(probabilities));
            fixed (float* pointer = logits)
            fixed (int* idPointer = ids)
            fixed (float* probabilityPointer = probabilities)
            {
                return TryDistribution(pointer, logits.Length, idPointer, probabilityPointer, ids.Length, out length);
            }
        }

        /// <summary>
        /// Replaces one row's logits by ln p of the decoded distribution, -infinity off the support: for hosts that draw for
        /// themselves. Draws nothing and advances nothing; a call that fails leaves the logits as they were.
        /// </summary>
        /// <remarks>
        /// The chain may end with a drawing stage or not; the temperature belongs into it, not behind it.
        /// </remarks>
        /// <param name="logits">One logit for each token of the vocabulary, changed in place.</param>
        /// <exception cref="ArgumentException">The logits are null or empty.</exception>
        /// <exception cref="BregmanException">As of <see cref="Decode(float[], DecodeFlags, uint[])"/>.</exception>
        public void Process(float[] logits)
        {
            Row(logits, null);
            fixed (float* pointer = logits)
            {
                Process(pointer, logits.Length);
            }
        }

        /// <summary>Replaces the logits of a row in memory that does not move.</summary>
        /// <param name="logits">The first of <paramref name="vocab"/> logits, aligned to 4 bytes; changed in place.</param>
        /// <param name="vocab">Number of logits, at least 1.</param>
        /// <exception cref="BregmanException">As of <see cref="Decode(float[], DecodeFlags, uint[])"/>.</exception>
        public void Process(float* logits, int vocab)
        {
            Enter();
            try
            {
                Check(NativeMethods.bregman_process(handle, logits, Unsigned(vocab)));
            }
            finally
            {
                Leave();
            }
        }

        private bool TryDistribution(
            float* logits, int vocab, int* ids, float* probabilities, int capacity, out int length)
        {
            Enter();
            try
            {
                var written = UIntPtr.Zero;
                var status = NativeMethods.bregman_distribution(
                    handle, logits, Unsigned(vocab), ids, probabilities, (UIntPtr)capacity, &written);
                if (status != Status.BufferTooSmall)
                {
                    Check(status);
                }
                length = (int)written;
                return status == Status.Ok;
            }
            finally
            {
                Leave();
            }
        }

        private static TokenProbability[] Pairs(int* ids, float* probabilities, int length)
        {
            var pairs = new TokenProbability[length];
            for (var i = 0; i < length; i++)
            {
                pairs[i] = new TokenProbability(ids[i], probabilities[i]);
            }
            return pairs;
        }
    }
}
