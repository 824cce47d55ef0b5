using System;

namespace Bregman
{
    public sealed unsafe partial class Sampler
    {
        /// <summary>
        /// Decodes rows of logits: row r with <paramref name="samplers"/>[r] into <paramref name="results"/>[r]. Each row has
        /// its own sampler, with its own chain, seed and state.
        /// </summary>
        /// <param name="samplers">One per row. If a sampler is given twice, only its first row is decoded.</param>
        /// <param name="logits">Consecutive rows. Read only.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="results">Receives the result of each row, also if the call throws because a row failed.</param>
        /// <param name="options">
        /// Stride, mask, flags, threads and more answers. Default: consecutive rows, and nothing in addition.
        /// </param>
        /// <exception cref="ArgumentException">
        /// An array or a sampler is null, an array is too short for the rows, an array of answers is given twice, or a number
        /// is out of range.
        /// </exception>
        /// <exception cref="BregmanException">
        /// A row failed: the status, message and number of the first one. The failure of a row does not affect the others, and
        /// a row that fails advances nothing. A sampler that is in use fails its row with <see cref="Status.InvalidArgument"/>.
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

        /// <summary>Decodes rows of 16-bit logits.</summary>
        /// <param name="samplers">One per row.</param>
        /// <param name="logits">The bits of consecutive rows. Read only.</param>
        /// <param name="format"><see cref="LogitFormat.F16"/> or <see cref="LogitFormat.BF16"/>.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="results">Receives the result of each row, also if the call throws because a row failed.</param>
        /// <param name="options">Stride, mask, flags, threads and more answers.</param>
        /// <exception cref="ArgumentException">As for single precision, or the format is not one of 16 bits.</exception>
        /// <exception cref="BregmanException">A row failed.</exception>
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

        /// <summary>Decodes rows of logits in pinned or native memory, such as an engine's.</summary>
        /// <param name="samplers">One per row.</param>
        /// <param name="logits">The first logit of the first row, aligned to its size. Read only.</param>
        /// <param name="format">Their format.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="results">Receives the result of each row, also if the call throws because a row failed.</param>
        /// <param name="options">Stride, mask, flags, threads and more answers.</param>
        /// <exception cref="ArgumentException">
        /// The results, the samplers or one of them are null, an array is too short for the rows, or a number is out of range.
        /// </exception>
        /// <exception cref="BregmanException">A row failed.</exception>
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

        /// <summary>Decodes rows of logits, without exceptions for errors of rows.</summary>
        /// <param name="samplers">One per row.</param>
        /// <param name="logits">Consecutive rows. Read only.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="results">Receives the token or the status of each row; the message is on its sampler.</param>
        /// <param name="options">Stride, mask, flags, threads and more answers.</param>
        /// <returns>Whether every row has a token.</returns>
        /// <exception cref="ArgumentException">
        /// An array or a sampler is null, an array is too short for the rows, or a number is out of range.
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

        /// <summary>Decodes rows of 16-bit logits, without exceptions for errors of rows.</summary>
        /// <param name="samplers">One per row.</param>
        /// <param name="logits">The bits of consecutive rows. Read only.</param>
        /// <param name="format"><see cref="LogitFormat.F16"/> or <see cref="LogitFormat.BF16"/>.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="results">Receives the token or the status of each row; the message is on its sampler.</param>
        /// <param name="options">Stride, mask, flags, threads and more answers.</param>
        /// <returns>Whether every row has a token.</returns>
        /// <exception cref="ArgumentException">As for single precision, or the format is not one of 16 bits.</exception>
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

        /// <summary>Decodes rows in pinned or native memory, without exceptions for errors of rows.</summary>
        /// <param name="samplers">One per row.</param>
        /// <param name="logits">The first logit of the first row, aligned to its size. Read only.</param>
        /// <param name="format">Their format.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="results">Receives the token or the status of each row; the message is on its sampler.</param>
        /// <param name="options">Stride, mask, flags, threads and more answers.</param>
        /// <returns>Whether every row has a token.</returns>
        /// <exception cref="ArgumentException">
        /// The results, the samplers or one of them are null, an array is too short for the rows, or a number is out of range.
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
