using System;

namespace Bregman
{
    public sealed unsafe partial class Sampler
    {
        /// <summary>
        /// Decodes rows of logits, row r with <paramref name="samplers"/>[r] into <paramref name="results"/>[r]: one sampler a
        /// row, each with a chain, seed and state of its own.
        /// </summary>
        /// <param name="samplers">One for each row. Of one that stands twice only the first row is decoded.</param>
        /// <param name="logits">The rows, one after the other. Only read.</param>
        /// <param name="vocab">Logits a row, at least 1.</param>
        /// <param name="results">Receives an answer for each row, also when the call throws for a row's sake.</param>
        /// <param name="options">Stride, mask, flags, threads and more answers. Default: rows without gaps, and nothing else.</param>
        /// <exception cref="ArgumentException">
        /// An array or a sampler is null, an array is too short for the rows, an array for an answer is another one too, or a
        /// number is out of its range.
        /// </exception>
        /// <exception cref="BregmanException">
        /// A row has no token: the first one's status, message and number. No row's failure is another's, and a failed row
        /// advances nothing. A sampler that another call is using fails its row with <see cref="Status.InvalidArgument"/>.
        /// </exception>
        public static void DecodeBatch(
            Sampler[] samplers, float[] logits, int vocab, DecodeResult[] results, BatchOptions options = null)
        {
            NotNull(logits, nameof(logits));
            NotNull(results, nameof(results));
            fixed (float* from = logits)
            fixed (DecodeResult* to = results)
            {
                Run(samplers, from, logits.Length, LogitFormat.F32, vocab, to, results.Length, options, true);
            }
        }

        /// <summary>Decodes rows of half precision logits.</summary>
        /// <param name="samplers">One for each row.</param>
        /// <param name="logits">The bits of the rows, one after the other. Only read.</param>
        /// <param name="format"><see cref="LogitFormat.F16"/> or <see cref="LogitFormat.BF16"/>.</param>
        /// <param name="vocab">Logits a row, at least 1.</param>
        /// <param name="results">Receives an answer for each row, also when the call throws for a row's sake.</param>
        /// <param name="options">Stride, mask, flags, threads and more answers.</param>
        /// <exception cref="ArgumentException">As of the single precision rows, or the format is not one of 16 bits.</exception>
        /// <exception cref="BregmanException">A row has no token.</exception>
        public static void DecodeBatch(
            Sampler[] samplers,
            ushort[] logits,
            LogitFormat format,
            int vocab,
            DecodeResult[] results,
            BatchOptions options = null)
        {
            NotNull(logits, nameof(logits));
            NotNull(results, nameof(results));
            SixteenBits(format);
            fixed (ushort* from = logits)
            fixed (DecodeResult* to = results)
            {
                Run(samplers, from, logits.Length, format, vocab, to, results.Length, options, true);
            }
        }

        /// <summary>Decodes rows of logits in memory that does not move, such as an engine's own.</summary>
        /// <param name="samplers">One for each row.</param>
        /// <param name="logits">The first logit of the first row, aligned to its size. Only read.</param>
        /// <param name="format">Their number format.</param>
        /// <param name="vocab">Logits a row, at least 1.</param>
        /// <param name="results">Receives an answer for each row, also when the call throws for a row's sake.</param>
        /// <param name="options">Stride, mask, flags, threads and more answers.</param>
        /// <exception cref="ArgumentException">
        /// The results, the samplers or one of them are null, an array is too short for the rows, or a number out of its range.
        /// </exception>
        /// <exception cref="BregmanException">A row has no token.</exception>
        public static void DecodeBatch(
            Sampler[] samplers,
            void* logits,
            LogitFormat format,
            int vocab,
            DecodeResult[] results,
            BatchOptions options = null)
        {
            NotNull(results, nameof(results));
            fixed (DecodeResult* to = results)
            {
                Run(samplers, logits, long.MaxValue, format, vocab, to, results.Length, options, true);
            }
        }

        /// <summary>Decodes rows of logits, without exceptions for what the rows themselves may bring about.</summary>
        /// <param name="samplers">One for each row.</param>
        /// <param name="logits">The rows, one after the other. Only read.</param>
        /// <param name="vocab">Logits a row, at least 1.</param>
        /// <param name="results">Receives each row's token, or its status, whose text is its sampler's.</param>
        /// <param name="options">Stride, mask, flags, threads and more answers.</param>
        /// <returns>Whether every row has a token.</returns>
        /// <exception cref="ArgumentException">
        /// An array or a sampler is null, an array is too short for the rows, or a number out of its range.
        /// </exception>
        public static bool TryDecodeBatch(
            Sampler[] samplers, float[] logits, int vocab, DecodeResult[] results, BatchOptions options = null)
        {
            NotNull(logits, nameof(logits));
            NotNull(results, nameof(results));
            fixed (float* from = logits)
            fixed (DecodeResult* to = results)
            {
                return Run(samplers, from, logits.Length, LogitFormat.F32, vocab, to, results.Length, options, false);
            }
        }

        /// <summary>Decodes rows of half precision logits, without exceptions for what the rows may bring about.</summary>
        /// <param name="samplers">One for each row.</param>
        /// <param name="logits">The bits of the rows, one after the other. Only read.</param>
        /// <param name="format"><see cref="LogitFormat.F16"/> or <see cref="LogitFormat.BF16"/>.</param>
        /// <param name="vocab">Logits a row, at least 1.</param>
        /// <param name="results">Receives each row's token, or its status, whose text is its sampler's.</param>
        /// <param name="options">Stride, mask, flags, threads and more answers.</param>
        /// <returns>Whether every row has a token.</returns>
        /// <exception cref="ArgumentException">As of the single precision rows, or the format is not one of 16 bits.</exception>
        public static bool TryDecodeBatch(
            Sampler[] samplers,
            ushort[] logits,
            LogitFormat format,
            int vocab,
            DecodeResult[] results,
            BatchOptions options = null)
        {
            NotNull(logits, nameof(logits));
            NotNull(results, nameof(results));
            SixteenBits(format);
            fixed (ushort* from = logits)
            fixed (DecodeResult* to = results)
            {
                return Run(samplers, from, logits.Length, format, vocab, to, results.Length, options, false);
            }
        }

        /// <summary>Decodes rows in memory that does not move, without exceptions for what the rows may bring about.</summary>
        /// <param name="samplers">One for each row.</param>
        /// <param name="logits">The first logit of the first row, aligned to its size. Only read.</param>
        /// <param name="format">Their number format.</param>
        /// <param name="vocab">Logits a row, at least 1.</param>
        /// <param name="results">Receives each row's token, or its status, whose text is its sampler's.</param>
        /// <param name="options">Stride, mask, flags, threads and more answers.</param>
        /// <returns>Whether every row has a token.</returns>
        /// <exception cref="ArgumentException">
        /// The results, the samplers or one of them are null, an array is too short for the rows, or a number out of its range.
        /// </exception>
        public static bool TryDecodeBatch(
            Sampler[] samplers,
            void* logits,
            LogitFormat format,
            int vocab,
            DecodeResult[] results,
            BatchOptions options = null)
        {
            NotNull(results, nameof(results));
            fixed (DecodeResult* to = results)
            {
                return Run(samplers, logits, long.MaxValue, format, vocab, to, results.Length, options, false);
            }
        }
    }
}
