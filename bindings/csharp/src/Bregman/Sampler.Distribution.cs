using System;
using Bregman.Interop;

namespace Bregman
{
    public sealed unsafe partial class Sampler
    {
        /// <summary>
        /// The decoded distribution of one row: what a drawing stage at the end of the chain draws from; <c>greedy</c> leaves
        /// one token. Draws nothing and advances nothing. Not for chains with a stage that learns (<see cref="Stage.Learns"/>).
        /// </summary>
        /// <param name="logits">One logit for each token of the vocabulary. Read only.</param>
        /// <returns>
        /// The tokens in descending order of probability (ties: ascending id). The probabilities sum to 1 up to rounding. If
        /// the chain drops no token, these are all tokens of the vocabulary.
        /// </returns>
        /// <exception cref="ArgumentException">The logits are null or empty.</exception>
        /// <exception cref="BregmanException">As for <see cref="Decode(float[], DecodeFlags, uint[])"/>.</exception>
        public TokenProbability[] Distribution(float[] logits)
        {
            Row(logits, null);
            fixed (float* pointer = logits)
            {
                return Distribution(pointer, logits.Length);
            }
        }

        /// <summary>The decoded distribution of a row in pinned or native memory.</summary>
        /// <param name="logits">The first of <paramref name="vocab"/> logits, aligned to 4 bytes. Read only.</param>
        /// <param name="vocab">Number of logits, at least 1.</param>
        /// <returns>As for <see cref="Distribution(float[])"/>.</returns>
        /// <exception cref="BregmanException">As for <see cref="Decode(float[], DecodeFlags, uint[])"/>.</exception>
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
        /// <param name="logits">One logit for each token of the vocabulary. Read only.</param>
        /// <param name="ids">Receives the tokens in descending order of probability.</param>
        /// <param name="probabilities">Receives the probability of each; as long as <paramref name="ids"/>.</param>
        /// <param name="length">The number of tokens, also if the arrays are too short.</param>
        /// <returns>Whether the arrays are long enough; if not, they are unchanged.</returns>
        /// <exception cref="ArgumentException">
        /// An array is null, the logits are empty, or the other arrays have different lengths.
        /// </exception>
        /// <exception cref="BregmanException">As for <see cref="Decode(float[], DecodeFlags, uint[])"/>.</exception>
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
        /// Replaces the logits of one row by ln p of the decoded distribution, -infinity off its support, for hosts that draw
        /// themselves. Draws nothing and advances nothing. A call that fails leaves the logits unchanged.
        /// </summary>
        /// <remarks>
        /// The chain may end with a drawing stage or not. Set the temperature in the chain, not behind it. Not for chains with
        /// a stage that learns (<see cref="Stage.Learns"/>), which does not learn from tokens that the host draws.
        /// </remarks>
        /// <param name="logits">One logit for each token of the vocabulary, changed in place.</param>
        /// <exception cref="ArgumentException">The logits are null or empty.</exception>
        /// <exception cref="BregmanException">As for <see cref="Decode(float[], DecodeFlags, uint[])"/>.</exception>
        public void Process(float[] logits)
        {
            Row(logits, null);
            fixed (float* pointer = logits)
            {
                Process(pointer, logits.Length);
            }
        }

        /// <summary>Replaces the logits of a row in pinned or native memory.</summary>
        /// <param name="logits">The first of <paramref name="vocab"/> logits, aligned to 4 bytes; changed in place.</param>
        /// <param name="vocab">Number of logits, at least 1.</param>
        /// <exception cref="BregmanException">As for <see cref="Decode(float[], DecodeFlags, uint[])"/>.</exception>
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
