using System;
using Bregman.Interop;

namespace Bregman
{
    // Several tokens of one row: draws without replacement, and the most likely tokens.
    public sealed unsafe partial class Sampler
    {
        private static readonly string[] SeveralNames = { "logits", "ids", "logProbabilities", "scores" };

        /// <summary>
        /// Draws different tokens from the decoded distribution of one row, without replacement: each in proportion to its
        /// probability among the tokens not drawn yet. Advances the random position by one, and adds nothing to the history.
        /// </summary>
        /// <remarks>
        /// The first token is the one that the chain with <c>gumbel</c> as its drawing stage decodes at this position, and a
        /// larger count appends tokens to the same ones. A drawing stage at the end of the chain draws nothing here;
        /// <c>greedy</c> leaves one token.
        /// </remarks>
        /// <param name="logits">One logit for each token of the vocabulary. Read only.</param>
        /// <param name="count">Number of tokens, at least 1.</param>
        /// <returns>The tokens in the order of the draw: the count, or the whole support if it is smaller.</returns>
        /// <exception cref="ArgumentException">The logits are null or empty, or the count is below 1.</exception>
        /// <exception cref="BregmanException">As for <see cref="Decode(float[], DecodeFlags, uint[])"/>.</exception>
        public DrawnToken[] DrawMany(float[] logits, int count)
        {
            Row(logits, null);
            fixed (float* pointer = logits)
            {
                return DrawMany(pointer, logits.Length, count);
            }
        }

        /// <summary>Draws different tokens from a row in pinned or native memory.</summary>
        /// <param name="logits">The first of <paramref name="vocab"/> logits, aligned to 4 bytes. Read only.</param>
        /// <param name="vocab">Number of logits, at least 1.</param>
        /// <param name="count">Number of tokens, at least 1.</param>
        /// <returns>As for <see cref="DrawMany(float[], int)"/>.</returns>
        /// <exception cref="ArgumentException">The count is below 1.</exception>
        /// <exception cref="BregmanException">As for <see cref="Decode(float[], DecodeFlags, uint[])"/>.</exception>
        public DrawnToken[] DrawMany(float* logits, int vocab, int count)
        {
            var capacity = Capacity(count, vocab);
            var ids = new int[capacity];
            var logProbabilities = new float[capacity];
            var scores = new float[capacity];
            int length;
            fixed (int* idPointer = ids)
            fixed (float* pointer = logProbabilities, scorePointer = scores)
            {
                length = DrawMany(logits, vocab, capacity, idPointer, pointer, scorePointer);
            }
            var drawn = new DrawnToken[length];
            for (var i = 0; i < length; i++)
            {
                drawn[i] = new DrawnToken(ids[i], logProbabilities[i], scores[i]);
            }
            return drawn;
        }

        /// <summary>Draws as many different tokens as the arrays hold.</summary>
        /// <param name="logits">One logit for each token of the vocabulary. Read only.</param>
        /// <param name="ids">Receives the tokens in the order of the draw; at least one element.</param>
        /// <param name="logProbabilities">
        /// Receives ln p of each under the decoded distribution; as long as <paramref name="ids"/>.
        /// </param>
        /// <param name="scores">
        /// Null, or receives ln p plus the Gumbel noise of each; as long as <paramref name="ids"/>. Default: null.
        /// </param>
        /// <returns>
        /// The number of tokens: the length of the arrays, or the support if it is smaller. The other elements are unchanged.
        /// </returns>
        /// <exception cref="ArgumentException">
        /// An array is null, empty or given twice, or the last three have different lengths.
        /// </exception>
        /// <exception cref="BregmanException">As for <see cref="Decode(float[], DecodeFlags, uint[])"/>.</exception>
        public int DrawMany(float[] logits, int[] ids, float[] logProbabilities, float[] scores = null)
        {
            Row(logits, null);
            NotNull(ids, nameof(ids));
            NotNull(logProbabilities, nameof(logProbabilities));
            Several(ids.Length, logProbabilities.Length, scores == null ? ids.Length : scores.Length);
            fixed (int* idPointer = ids)
            fixed (float* from = logits, pointer = logProbabilities, scorePointer = scores)
            {
                return DrawMany(from, logits.Length, ids.Length, idPointer, pointer, scorePointer);
            }
        }

        /// <summary>The most likely tokens of one row. Draws nothing and advances nothing.</summary>
        /// <param name="logits">One logit for each token of the vocabulary. Read only.</param>
        /// <param name="count">Number of tokens, at least 1.</param>
        /// <param name="source">
        /// Source of the probabilities. Default: the model, which does not use the chain.
        /// </param>
        /// <returns>
        /// The tokens in descending order (ties: ascending id): the count, or those with positive probability if they are
        /// fewer.
        /// </returns>
        /// <exception cref="ArgumentException">The logits are null or empty, or the count is below 1.</exception>
        /// <exception cref="BregmanException">
        /// As for <see cref="Decode(float[], DecodeFlags, uint[])"/>; <see cref="Status.InvalidArgument"/> also for an unknown
        /// source.
        /// </exception>
        public TokenLogProbability[] TopLogProbabilities(
            float[] logits, int count, LogProbabilitySource source = LogProbabilitySource.OfModel)
        {
            Row(logits, null);
            fixed (float* pointer = logits)
            {
                return TopLogProbabilities(pointer, logits.Length, count, source);
            }
        }

        /// <summary>The most likely tokens of a row in pinned or native memory.</summary>
        /// <param name="logits">The first of <paramref name="vocab"/> logits, aligned to 4 bytes. Read only.</param>
        /// <param name="vocab">Number of logits, at least 1.</param>
        /// <param name="count">Number of tokens, at least 1.</param>
        /// <param name="source">Source of the probabilities.</param>
        /// <returns>As for <see cref="TopLogProbabilities(float[], int, LogProbabilitySource)"/>.</returns>
        /// <exception cref="ArgumentException">The count is below 1.</exception>
        /// <exception cref="BregmanException">
        /// As for <see cref="TopLogProbabilities(float[], int, LogProbabilitySource)"/>.
        /// </exception>
        public TokenLogProbability[] TopLogProbabilities(
            float* logits, int vocab, int count, LogProbabilitySource source = LogProbabilitySource.OfModel)
        {
            var capacity = Capacity(count, vocab);
            var ids = new int[capacity];
            var logProbabilities = new float[capacity];
            int length;
            fixed (int* idPointer = ids)
            fixed (float* pointer = logProbabilities)
            {
                length = TopLogProbabilities(logits, vocab, source, capacity, idPointer, pointer);
            }
            var top = new TokenLogProbability[length];
            for (var i = 0; i < length; i++)
            {
                top[i] = new TokenLogProbability(ids[i], logProbabilities[i]);
            }
            return top;
        }

        /// <summary>Writes as many of the most likely tokens of one row as the arrays hold.</summary>
        /// <param name="logits">One logit for each token of the vocabulary. Read only.</param>
        /// <param name="ids">
        /// Receives the tokens in descending order of probability, then -1 if there are fewer. At least one element.
        /// </param>
        /// <param name="logProbabilities">
        /// Receives ln p of each, then -infinity if there are fewer; as long as <paramref name="ids"/>.
        /// </param>
        /// <param name="source">Source of the probabilities.</param>
        /// <returns>
        /// The number of tokens: the length of the arrays, or the number with positive probability if that is smaller.
        /// </returns>
        /// <exception cref="ArgumentException">
        /// An array is null, empty or given twice, or the last two have different lengths.
        /// </exception>
        /// <exception cref="BregmanException">
        /// As for <see cref="TopLogProbabilities(float[], int, LogProbabilitySource)"/>.
        /// </exception>
        public int TopLogProbabilities(
            float[] logits,
            int[] ids,
            float[] logProbabilities,
            LogProbabilitySource source = LogProbabilitySource.OfModel)
        {
            Row(logits, null);
            NotNull(ids, nameof(ids));
            NotNull(logProbabilities, nameof(logProbabilities));
            Several(ids.Length, logProbabilities.Length, ids.Length);
            fixed (int* idPointer = ids)
            fixed (float* from = logits, pointer = logProbabilities)
            {
                return TopLogProbabilities(from, logits.Length, source, ids.Length, idPointer, pointer);
            }
        }

        private int DrawMany(
            float* logits, int vocab, int count, int* ids, float* logProbabilities, float* scores)
        {
            Apart(logits, vocab, count, ids, logProbabilities, scores);
            Enter();
            try
            {
                var length = UIntPtr.Zero;
                Check(NativeMethods.bregman_draw_many(
                    handle, logits, Unsigned(vocab), (UIntPtr)count, ids, logProbabilities, scores, &length));
                return (int)length;
            }
            finally
            {
                Leave();
            }
        }

        private int TopLogProbabilities(
            float* logits, int vocab, LogProbabilitySource source, int count, int* ids, float* logProbabilities)
        {
            Apart(logits, vocab, count, ids, logProbabilities, null);
            Enter();
            try
            {
                var length = UIntPtr.Zero;
                Check(NativeMethods.bregman_top_logprobs(
                    handle, logits, Unsigned(vocab), source, (UIntPtr)count, ids, logProbabilities, &length));
                return (int)length;
            }
            finally
            {
                Leave();
            }
        }

        // Bounds the allocation: a row has no more tokens than its vocabulary.
        private static int Capacity(int count, int vocab)
        {
            Range(count, 1, nameof(count));
            return Math.Min(count, Math.Max(vocab, 1));
        }

        private static void Several(int ids, int logProbabilities, int scores)
        {
            if (ids == 0)
            {
                throw new ArgumentException("must have at least one element", nameof(ids));
            }
            SameLength(ids, logProbabilities, nameof(logProbabilities));
            SameLength(ids, scores, nameof(scores));
        }

        private static void Apart(
            float* logits, int vocab, int count, int* ids, float* logProbabilities, float* scores)
        {
            var starts = stackalloc byte*[4];
            var sizes = stackalloc long[4];
            starts[0] = (byte*)logits;
            starts[1] = (byte*)ids;
            starts[2] = (byte*)logProbabilities;
            starts[3] = (byte*)scores;
            sizes[0] = sizeof(float) * (long)Math.Max(vocab, 0);
            sizes[1] = sizes[2] = sizes[3] = sizeof(int) * (long)count;
            Apart(starts, sizes, 1, SeveralNames);
        }
    }
}
