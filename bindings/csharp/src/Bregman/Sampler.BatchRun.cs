using System;
using System.Threading;
using Bregman.Interop;

namespace Bregman
{
    public sealed unsafe partial class Sampler
    {
        private static readonly BatchOptions Defaults = new BatchOptions();

        // On Mono, a process in which native threads have called managed code does not end.
        private static readonly bool PoolMayCallBack = Type.GetType("Mono.Runtime") == null;

        // The buffers of this thread; null while a batch on this thread uses them.
        [ThreadStatic]
        private static Entered scratch;

        // The array lengths are in elements.
        private static bool Run(
            Sampler[] samplers,
            void* logits,
            long length,
            LogitFormat format,
            int vocab,
            DecodeResult* results,
            int resultsLength,
            BatchOptions options,
            bool throwing)
        {
            NotNull(samplers, nameof(samplers));
            options = options ?? Defaults;
            var rows = Rows(samplers, resultsLength, options);
            if (rows == 0)
            {
                return true;
            }
            var index = Sizes(options.RowIndex, rows, "options.RowIndex");
            var batch = Describe(rows, logits, length, format, vocab, options, index);
            var entered = scratch ?? new Entered();
            scratch = null;
            try
            {
                entered.Enter(samplers, rows);
                if (entered.CallsBack && !PoolMayCallBack)
                {
                    // The results do not depend on the number of threads.
                    batch.threads = 0;
                }
                Status status;
                fixed (IntPtr* handles = entered.Handles)
                fixed (uint* mask = options.Mask, lengths = options.Lengths)
                fixed (int* ids = options.Ids)
                fixed (double* logRest = options.LogRest)
                fixed (float* bound = options.Bound)
                fixed (UIntPtr* rowIndex = index)
                {
                    Point(&batch, mask, ids, lengths, logRest, bound, rowIndex);
                    status = Call(handles, &batch, results, options.Answers);
                }
                if (throwing && status != Status.Ok)
                {
                    throw entered.Failure(status, results, rows);
                }
                return status == Status.Ok;
            }
            finally
            {
                entered.Leave();
                scratch = entered;
            }
        }

        private static int Rows(Sampler[] samplers, int resultsLength, BatchOptions options)
        {
            var rows = options.Rows ?? samplers.Length;
            if (rows < 0 || rows > samplers.Length)
            {
                throw new ArgumentOutOfRangeException(
                    nameof(options), "Rows is " + rows + ": from 0 to the number of samplers, " + samplers.Length);
            }
            AtLeast(rows, resultsLength, "results");
            return rows;
        }

        private static NativeBatch Describe(
            int rows,
            void* logits,
            long length,
            LogitFormat format,
            int vocab,
            BatchOptions options,
            UIntPtr[] index = null)
        {
            long stored;
            fixed (UIntPtr* rowIndex = index)
            {
                stored = Stored(rowIndex, rows);
            }
            var stride = options.RowStride ?? vocab;
            var maskStride = options.MaskStride ?? Words(vocab);
            Range(vocab, 1, nameof(vocab));
            Range(stride, vocab, "options.RowStride");
            Range(options.Threads, 0, "options.Threads");
            AtLeast(Extent(stored, vocab, stride), length, nameof(logits));
            var sparse = options.Ids != null;
            if (sparse)
            {
                Holds(options.Ids, stored, vocab, stride, "options.Ids");
                Holds(options.Lengths, stored, 1, 1, "options.Lengths");
                Holds(options.LogRest, stored, 1, 1, "options.LogRest");
                Holds(options.Bound, stored, 1, 1, "options.Bound");
                Given(options.Mask, options.MaskStride, "options.MaskStride");
                Given(options.Answers?.KeptMask, options.Answers?.KeptMaskStride, "answers.KeptMaskStride");
            }
            if (options.Mask != null)
            {
                Range(maskStride, 1, "options.MaskStride");
                AtLeast(stored * maskStride, options.Mask.Length, "options.Mask");
            }
            Check(options.Answers, rows, vocab);
            return new NativeBatch
            {
                struct_size = (uint)sizeof(NativeBatch),
                dtype = format,
                logits = logits,
                rows = (UIntPtr)rows,
                vocab = (UIntPtr)vocab,
                row_stride = (UIntPtr)stride,
                mask_stride = (UIntPtr)Math.Max(maskStride, 0),
                flags = options.Flags,
                threads = (uint)options.Threads,
                rest_temperature = sparse ? options.RestTemperature : 0,
            };
        }

        // The arrays of the options, which the caller has pinned.
        private static void Point(
            NativeBatch* batch, uint* mask, int* ids, uint* lengths, double* logRest, float* bound, UIntPtr* rowIndex)
        {
            batch->mask = mask;
            batch->row_index = rowIndex;
            if (ids != null)
            {
                batch->ids = ids;
                batch->lengths = lengths;
                batch->log_rest = logRest;
                batch->bound = bound;
            }
        }

        // The first elements of an array as the library's sizes; null for null.
        private static UIntPtr[] Sizes(int[] array, int count, string name)
        {
            if (array == null)
            {
                return null;
            }
            AtLeast(count, array.Length, name);
            var sizes = new UIntPtr[count];
            for (var i = 0; i < count; i++)
            {
                Range(array[i], 0, name);
                sizes[i] = (UIntPtr)array[i];
            }
            return sizes;
        }

        // The number of rows that the inputs have at the least.
        private static long Stored(UIntPtr* rowIndex, int rows)
        {
            if (rowIndex == null)
            {
                return rows;
            }
            long last = 0;
            for (var i = 0; i < rows; i++)
            {
                last = Math.Max(last, (long)rowIndex[i]);
            }
            return last + 1;
        }

        // The number of elements of a sparse row does not tell how many tokens there are.
        private static void Given(uint[] mask, int? stride, string name)
        {
            if (mask != null && stride == null)
            {
                throw new ArgumentException("is null: masks of sparse rows need it", name);
            }
        }

        private static void Range(int number, int minimum, string name)
        {
            if (number < minimum)
            {
                throw new ArgumentOutOfRangeException(name, "is " + number + ": at least " + minimum);
            }
        }

        private static void AtLeast(long needed, long length, string name)
        {
            if (length < needed)
            {
                throw new ArgumentException("has " + length + " elements, of which the rows need " + needed, name);
            }
        }

        /// <summary>The samplers of a batch, each kept alive and marked as in use during the batch.</summary>
        private sealed class Entered
        {
            private Sampler[] held = new Sampler[16];
            private int count;

            /// <summary>One per row; null for a sampler that is in use, which fails the row.</summary>
            internal IntPtr[] Handles { get; private set; } = new IntPtr[16];

            /// <summary>Whether a sampler has generators, which are managed code.</summary>
            internal bool CallsBack { get; private set; }

            internal void Enter(Sampler[] samplers, int rows)
            {
                CallsBack = false;
                if (rows > held.Length)
                {
                    held = new Sampler[rows];
                    Handles = new IntPtr[rows];
                }
                var ticket = Ticket();
                for (var row = 0; row < rows; row++)
                {
                    Enter(samplers[row], row, ticket);
                }
            }

            internal void Leave()
            {
                for (; count > 0; count--)
                {
                    var sampler = held[count - 1];
                    held[count - 1] = null;
                    if (sampler == null)
                    {
                        continue;
                    }
                    sampler.handle.DangerousRelease();
                    // Once for a sampler that is given twice: after that it does not belong to this batch.
                    Interlocked.CompareExchange(ref sampler.user, 0, Ticket());
                }
            }

            internal BregmanException Failure(Status status, DecodeResult* results, int rows)
            {
                for (var row = 0; row < rows; row++)
                {
                    if (results[row].Status != Status.Ok)
                    {
                        return new BregmanException(results[row].Status, Message(row), row);
                    }
                }
                // Only if the batch could not be read.
                return new BregmanException(status, BregmanLibrary.StatusText(status));
            }

            /// <summary>The message of a row's sampler.</summary>
            internal string Message(int row)
            {
                return held[row] == null ? InUse : held[row].Message();
            }

            // Different from the number of a call of this thread on a single sampler.
            private static int Ticket()
            {
                return -Environment.CurrentManagedThreadId;
            }

            private void Enter(Sampler sampler, int row, int ticket)
            {
                if (sampler == null)
                {
                    throw new ArgumentException("samplers[" + row + "] is null", "samplers");
                }
                if (sampler.disposed)
                {
                    throw new ObjectDisposedException("samplers[" + row + "]");
                }
                var inside = Interlocked.CompareExchange(ref sampler.user, ticket, 0);
                var ours = inside == 0 || inside == ticket;
                Handles[row] = IntPtr.Zero;
                held[row] = null;
                if (ours)
                {
                    var success = false;
                    try
                    {
                        sampler.handle.DangerousAddRef(ref success);
                    }
                    finally
                    {
                        // Disposed by another thread after the check above.
                        if (!success && inside == 0)
                        {
                            sampler.Leave();
                        }
                    }
                    Handles[row] = sampler.handle.DangerousGetHandle();
                    held[row] = sampler;
                    CallsBack |= sampler.handle.KeepAlive != null;
                }
                count = row + 1;
            }
        }
    }
}
