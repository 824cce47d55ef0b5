using System;
using Bregman.Interop;

namespace Bregman
{
    // Shards of rows, as lists for sparse rows.
    public sealed unsafe partial class Sampler
    {
        /// <summary>
        /// Reduces rows, each a shard of a vocabulary or a whole one, to their largest logits and what a sparse row
        /// (<see cref="BatchOptions.Ids"/>) needs to know of the others: for tensor parallelism, where each rank has the logits
        /// of a part of the vocabulary. Thread-safe.
        /// </summary>
        /// <remarks>
        /// To decode, put the lists of all ranks one behind the other: <c>vocab</c> is the count times the number of ranks,
        /// <c>LogRest</c> the logarithm of the sum of the exponentials of theirs, <c>Bound</c> the largest of theirs. The tokens
        /// are those of the whole row, or the row fails with <see cref="Status.Incomplete"/>; then gather and decode the whole
        /// row.
        /// </remarks>
        /// <param name="logits">Consecutive rows. Read only.</param>
        /// <param name="rows">Number of rows.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="first">The token of the first element of a row, at least 0.</param>
        /// <param name="count">Number of logits to keep of each row, at least 1.</param>
        /// <param name="options">Stride and threads. Default: consecutive rows, on the caller's thread.</param>
        /// <param name="temperature">
        /// That at which the chain first needs probabilities (<see cref="BatchOptions.RestTemperature"/>). Default: 1.
        /// </param>
        /// <returns>The lists.</returns>
        /// <exception cref="ArgumentException">
        /// The logits are null or too short for the rows, a number is out of range, or other options are set.
        /// </exception>
        /// <exception cref="BregmanException">
        /// The status of the first row that failed (<see cref="Status.InvalidLogits"/>: NaN or positive infinity), or
        /// <see cref="Status.InvalidArgument"/>.
        /// </exception>
        public static ReducedRows Reduce(
            float[] logits,
            int rows,
            int vocab,
            int first,
            int count,
            BatchOptions options = null,
            float temperature = 1)
        {
            NotNull(logits, nameof(logits));
            fixed (float* from = logits)
            {
                return Reduce(from, logits.Length, LogitFormat.F32, rows, vocab, first, count, options, temperature);
            }
        }

        /// <summary>Reduces rows of 16-bit logits.</summary>
        /// <param name="logits">The bits of consecutive rows. Read only.</param>
        /// <param name="format"><see cref="LogitFormat.F16"/> or <see cref="LogitFormat.BF16"/>.</param>
        /// <param name="rows">Number of rows.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="first">The token of the first element of a row, at least 0.</param>
        /// <param name="count">Number of logits to keep of each row, at least 1.</param>
        /// <param name="options">Stride and threads.</param>
        /// <param name="temperature">That at which the chain first needs probabilities.</param>
        /// <returns>The lists.</returns>
        /// <exception cref="ArgumentException">As for single precision, or the format is not one of 16 bits.</exception>
        /// <exception cref="BregmanException">As for single precision.</exception>
        public static ReducedRows Reduce(
            ushort[] logits,
            LogitFormat format,
            int rows,
            int vocab,
            int first,
            int count,
            BatchOptions options = null,
            float temperature = 1)
        {
            NotNull(logits, nameof(logits));
            SixteenBits(format);
            fixed (ushort* from = logits)
            {
                return Reduce(from, logits.Length, format, rows, vocab, first, count, options, temperature);
            }
        }

        private static ReducedRows Reduce(
            void* logits,
            long length,
            LogitFormat format,
            int rows,
            int vocab,
            int first,
            int count,
            BatchOptions options,
            float temperature)
        {
            options = options ?? Defaults;
            Range(rows, 0, nameof(rows));
            Range(first, 0, nameof(first));
            Range(count, 1, nameof(count));
            if (options.Rows != null || options.Mask != null || options.Ids != null || options.Answers != null ||
                options.RowIndex != null || options.Flags != DecodeFlags.None)
            {
                throw new ArgumentException("has more than RowStride and Threads", nameof(options));
            }
            if (rows > int.MaxValue / count)
            {
                throw new ArgumentOutOfRangeException(nameof(count), "is " + count + ": too large for so many rows");
            }
            var reduced = new ReducedRows(rows, count);
            if (rows == 0)
            {
                return reduced;
            }
            Loader.Ensure();
            var batch = Describe(rows, logits, length, format, vocab, options);
            fixed (int* ids = reduced.Ids)
            fixed (float* largest = reduced.Logits, bound = reduced.Bound)
            fixed (double* logRest = reduced.LogRest)
            {
                var status = NativeMethods.bregman_reduce(
                    &batch, first, (UIntPtr)count, temperature, ids, largest, logRest, bound);
                if (status != Status.Ok)
                {
                    throw new BregmanException(status, BregmanLibrary.StatusText(status));
                }
            }
            return reduced;
        }
    }
}
