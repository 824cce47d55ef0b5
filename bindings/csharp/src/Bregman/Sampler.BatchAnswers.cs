using System;
using Bregman.Interop;

namespace Bregman
{
    public sealed unsafe partial class Sampler
    {
        private static readonly string[] AnswerNames =
        {
            "logits",
            "options.Mask",
            "options.Ids",
            "options.Lengths",
            "options.LogRest",
            "options.Bound",
            "answers.GivenIds",
            "answers.LogProbabilities",
            "answers.Ranks",
            "answers.TopIds",
            "answers.TopLogProbabilities",
            "answers.KeptIds",
            "answers.KeptMask",
            "answers.GivenLogProbabilities",
            "answers.GivenRanks",
            "answers.OtherLogProbabilities",
            "answers.OtherTopLogProbabilities",
            "answers.KeptOffsets",
        };

        private static Status Call(IntPtr* samplers, NativeBatch* batch, DecodeResult* results, BatchAnswers answers)
        {
            if (answers == null)
            {
                return NativeMethods.bregman_decode_batch(samplers, batch, results);
            }
            var offsets = answers.KeptOffsets == null ? null : new UIntPtr[(int)batch->rows + 1];
            fixed (UIntPtr* ends = offsets)
            fixed (int* keptOffsets = answers.KeptOffsets)
            fixed (float* logProbabilities = answers.LogProbabilities, topLogProbabilities = answers.TopLogProbabilities)
            fixed (float* givenLogProbabilities = answers.GivenLogProbabilities)
            fixed (float* other = answers.OtherLogProbabilities, otherTop = answers.OtherTopLogProbabilities)
            fixed (uint* ranks = answers.Ranks, keptMask = answers.KeptMask, givenRanks = answers.GivenRanks)
            fixed (int* topIds = answers.TopIds, keptIds = answers.KeptIds, givenIds = answers.GivenIds)
            {
                var native = new NativeAnswers
                {
                    struct_size = (uint)sizeof(NativeAnswers),
                    source = answers.Source,
                    logprobs = logProbabilities,
                    ranks = ranks,
                    top = (UIntPtr)answers.Top,
                    top_stride = (UIntPtr)(answers.TopStride ?? answers.Top),
                    top_ids = topIds,
                    top_logprobs = topLogProbabilities,
                    kept = (UIntPtr)answers.Kept,
                    kept_stride = (UIntPtr)(answers.KeptStride ?? answers.Kept),
                    kept_ids = keptIds,
                    kept_mask = keptMask,
                    kept_mask_stride = (UIntPtr)(answers.KeptMaskStride ?? Words((int)batch->vocab)),
                    given = (UIntPtr)answers.Given,
                    given_stride = (UIntPtr)answers.Given,
                    given_ids = givenIds,
                    given_logprobs = givenLogProbabilities,
                    given_ranks = givenRanks,
                    other_logprobs = other,
                    other_top_logprobs = otherTop,
                    kept_offsets = ends,
                };
                // The first offset is 0 once they are written.
                const uint Unwritten = 1;
                if (ends != null)
                {
                    *ends = (UIntPtr)Unwritten;
                }
                Apart(batch, &native, keptOffsets);
                var status = samplers == null
                    ? NativeMethods.bregman_model_answers(batch, &native)
                    : NativeMethods.bregman_decode_batch_answers(samplers, batch, results, &native);
                for (var i = 0; ends != null && *ends != (UIntPtr)Unwritten && i < offsets.Length; i++)
                {
                    keptOffsets[i] = (int)ends[i];
                }
                return status;
            }
        }

        // Checks that the arrays are long enough for the rows.
        private static void Check(BatchAnswers answers, int rows, int vocab)
        {
            if (answers == null)
            {
                return;
            }
            var maskStride = answers.KeptMaskStride ?? Words(vocab);
            Range(answers.Top, 0, "answers.Top");
            Range(answers.Kept, 0, "answers.Kept");
            Range(answers.TopStride ?? answers.Top, answers.Top, "answers.TopStride");
            Range(answers.KeptStride ?? answers.Kept, answers.Kept, "answers.KeptStride");
            Range(maskStride, 1, "answers.KeptMaskStride");
            Range(answers.Given, 0, "answers.Given");
            Holds(answers.GivenIds, rows, answers.Given, null, "answers.GivenIds");
            Holds(answers.GivenLogProbabilities, rows, answers.Given, null, "answers.GivenLogProbabilities");
            Holds(answers.GivenRanks, rows, answers.Given, null, "answers.GivenRanks");
            Holds(answers.OtherLogProbabilities, rows, 1, 1, "answers.OtherLogProbabilities");
            Holds(answers.OtherTopLogProbabilities, rows, answers.Top, answers.TopStride, "answers.OtherTopLogProbabilities");
            Holds(answers.LogProbabilities, rows, 1, 1, "answers.LogProbabilities");
            Holds(answers.Ranks, rows, 1, 1, "answers.Ranks");
            Holds(answers.TopIds, rows, answers.Top, answers.TopStride, "answers.TopIds");
            Holds(answers.TopLogProbabilities, rows, answers.Top, answers.TopStride, "answers.TopLogProbabilities");
            // Kept tokens without gaps have no stride.
            var keptStride = answers.KeptOffsets == null ? answers.KeptStride : answers.Kept;
            Holds(answers.KeptIds, rows, answers.Kept, keptStride, "answers.KeptIds");
            Holds(answers.KeptOffsets, rows, 2, 1, "answers.KeptOffsets");
            Holds(answers.KeptMask, rows, maskStride, maskStride, "answers.KeptMask");
        }

        private static void Holds(Array array, long rows, int each, int? stride, string name)
        {
            if (array != null)
            {
                AtLeast(Extent(rows, each, stride ?? each), array.Length, name);
            }
        }

        // Elements from the first of the first row to the last of the last row, which needs no gap after it.
        private static long Extent(long rows, long each, long stride)
        {
            return (rows - 1) * stride + each;
        }

        private static int Words(int vocab)
        {
            return (int)(((long)vocab + 31) / 32);
        }

        private static void Apart(NativeBatch* batch, NativeAnswers* answers, int* keptOffsets)
        {
            const int Areas = 18;
            var rows = (long)batch->rows;
            var stored = Stored(batch->row_index, (int)batch->rows);
            var keptStride = (long)(answers->kept_offsets == null ? answers->kept_stride : answers->kept);
            var logitSize = batch->dtype == LogitFormat.F32 ? sizeof(float) : sizeof(ushort);
            var top = Extent(rows, (long)answers->top, (long)answers->top_stride);
            var starts = stackalloc byte*[Areas];
            var sizes = stackalloc long[Areas];
            starts[0] = (byte*)batch->logits;
            sizes[0] = logitSize * Extent(stored, (long)batch->vocab, (long)batch->row_stride);
            starts[1] = (byte*)batch->mask;
            sizes[1] = sizeof(uint) * stored * (long)batch->mask_stride;
            starts[2] = (byte*)batch->ids;
            sizes[2] = sizeof(int) * Extent(stored, (long)batch->vocab, (long)batch->row_stride);
            starts[3] = (byte*)batch->lengths;
            sizes[3] = sizeof(uint) * stored;
            starts[4] = (byte*)batch->log_rest;
            sizes[4] = sizeof(double) * stored;
            starts[5] = (byte*)batch->bound;
            sizes[5] = sizeof(float) * stored;
            starts[6] = (byte*)answers->given_ids;
            sizes[6] = sizeof(int) * rows * (long)answers->given;
            starts[7] = (byte*)answers->logprobs;
            sizes[7] = sizeof(float) * rows;
            starts[8] = (byte*)answers->ranks;
            sizes[8] = sizeof(uint) * rows;
            starts[9] = (byte*)answers->top_ids;
            sizes[9] = sizeof(int) * top;
            starts[10] = (byte*)answers->top_logprobs;
            sizes[10] = sizeof(float) * top;
            starts[11] = (byte*)answers->kept_ids;
            sizes[11] = sizeof(int) * Extent(rows, (long)answers->kept, keptStride);
            starts[12] = (byte*)answers->kept_mask;
            sizes[12] = sizeof(uint) * rows * (long)answers->kept_mask_stride;
            starts[13] = (byte*)answers->given_logprobs;
            sizes[13] = sizeof(float) * rows * (long)answers->given;
            starts[14] = (byte*)answers->given_ranks;
            sizes[14] = sizeof(uint) * rows * (long)answers->given;
            starts[15] = (byte*)answers->other_logprobs;
            sizes[15] = sizeof(float) * rows;
            starts[16] = (byte*)answers->other_top_logprobs;
            sizes[16] = sizeof(float) * top;
            starts[17] = (byte*)keptOffsets;
            sizes[17] = sizeof(int) * (rows + 1);
            Apart(starts, sizes, 7, AnswerNames);
        }

        // Outputs must not overlap another argument. The first areas are inputs.
        private static void Apart(byte** starts, long* sizes, int read, string[] names)
        {
            for (var i = read; i < names.Length; i++)
            {
                for (var j = 0; j < i; j++)
                {
                    var both = starts[i] != null && starts[j] != null;
                    if (both && starts[i] < starts[j] + sizes[j] && starts[j] < starts[i] + sizes[i])
                    {
                        throw new ArgumentException("shares memory with " + names[j], names[i]);
                    }
                }
            }
        }
    }
}
