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
        };

        private static Status Call(IntPtr* samplers, NativeBatch* batch, DecodeResult* results, BatchAnswers answers)
        {
            if (answers == null)
            {
                return NativeMethods.bregman_decode_batch(samplers, batch, results);
            }
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
                };
                Apart(batch, &native);
                if (samplers == null)
                {
                    return NativeMethods.bregman_model_answers(batch, &native);
                }
                return NativeMethods.bregman_decode_batch_answers(samplers, batch, results, &native);
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
            Holds(answers.KeptIds, rows, answers.Kept, answers.KeptStride, "answers.KeptIds");
            Holds(answers.KeptMask, rows, maskStride, maskStride, "answers.KeptMask");
        }

        private static void Holds(Array array, int rows, int each, int? stride, string name)
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

        private static void Apart(NativeBatch* batch, NativeAnswers* answers)
        {
            const int Areas = 17;
            var rows = (long)batch->rows;
            var logitSize = batch->dtype == LogitFormat.F32 ? sizeof(float) : sizeof(ushort);
            var top = Extent(rows, (long)answers->top, (long)answers->top_stride);
            var starts = stackalloc byte*[Areas];
            var sizes = stackalloc long[Areas];
            starts[0] = (byte*)batch->logits;
            sizes[0] = logitSize * Extent(rows, (long)batch->vocab, (long)batch->row_stride);
            starts[1] = (byte*)batch->mask;
            sizes[1] = sizeof(uint) * rows * (long)batch->mask_stride;
            starts[2] = (byte*)batch->ids;
            sizes[2] = sizeof(int) * Extent(rows, (long)batch->vocab, (long)batch->row_stride);
            starts[3] = (byte*)batch->lengths;
            sizes[3] = sizeof(uint) * rows;
            starts[4] = (byte*)batch->log_rest;
            sizes[4] = sizeof(double) * rows;
            starts[5] = (byte*)batch->bound;
            sizes[5] = sizeof(float) * rows;
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
            sizes[11] = sizeof(int) * Extent(rows, (long)answers->kept, (long)answers->kept_stride);
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
