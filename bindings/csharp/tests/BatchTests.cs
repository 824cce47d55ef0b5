using System;
using System.Linq;

namespace Bregman.Tests
{
    internal static unsafe class BatchTests
    {
        private const int Rows = 40;
        private const int Vocab = 777;

        [Test]
        public static void BatchEqualsSingleRows()
        {
            var logits = Enumerable.Range(0, Rows).SelectMany(r => Inputs.Row(Vocab, (ulong)r)).ToArray();
            Compare(logits, Vocab, null);
            Compare(logits, Vocab, new BatchOptions { Threads = 3 });
        }

        [Test]
        public static void RowsMayHaveGaps()
        {
            const int Stride = Vocab + 50;
            var logits = new float[(Rows - 1) * Stride + Vocab];
            for (var r = 0; r < Rows; r++)
            {
                Inputs.Row(Vocab, (ulong)r).CopyTo(logits, r * Stride);
                for (var i = r * Stride + Vocab; i < (r + 1) * Stride && i < logits.Length; i++)
                {
                    // Between the rows, which must not be read.
                    logits[i] = float.NaN;
                }
            }
            Compare(logits, Stride, new BatchOptions { RowStride = Stride });
        }

        [Test]
        public static void MaskAppliesByRow()
        {
            const int Words = 25;
            var mask = new uint[Rows * Words];
            for (var r = 0; r < Rows; r++)
            {
                // Row r allows token 3 r only.
                mask[r * Words + 3 * r / 32] = 1u << (3 * r % 32);
            }
            var results = new DecodeResult[Rows];
            WithSamplers(Rows, samplers =>
            {
                Sampler.DecodeBatch(
                    samplers,
                    new float[Rows * Vocab],
                    Vocab,
                    results,
                    new BatchOptions { Mask = mask, MaskStride = Words });
            });
            Check.SameSequence(Enumerable.Range(0, Rows).Select(r => 3 * r), results.Select(r => r.Token));
        }

        [Test]
        public static void FewerRowsThanSamplers()
        {
            var results = new DecodeResult[Rows];
            WithSamplers(Rows, samplers =>
            {
                var logits = Inputs.Row(Vocab, 0);
                Sampler.DecodeBatch(samplers, logits, Vocab, results, new BatchOptions { Rows = 1 });
                Sampler.DecodeBatch(samplers, new float[0], Vocab, results, new BatchOptions { Rows = 0 });
                Sampler.DecodeBatch(new Sampler[0], new float[0], Vocab, new DecodeResult[0]);
                Check.Equal(Inputs.Alone(Inputs.Chain, 0, logits, 1)[0], results[0].Token);
                Check.Equal(0, results[1].Token, "the other rows are as they were");
            });
        }

        [Test]
        public static void HalfPrecisionRowsAndPointers()
        {
            // 1, 2 and 3 in half precision and in bfloat16.
            ushort[] half = { 0x3C00, 0x4200, 0x4000, 0x4200, 0x3C00, 0x4000 };
            ushort[] brain = { 0x3F80, 0x4040, 0x4000, 0x4040, 0x3F80, 0x4000 };
            var results = new DecodeResult[2];
            using (var a = new Sampler("greedy", 0))
            using (var b = new Sampler("greedy", 0))
            {
                var samplers = new[] { a, b };
                Sampler.DecodeBatch(samplers, half, LogitFormat.F16, 3, results);
                Check.SameSequence(new[] { 1, 0 }, results.Select(r => r.Token), "f16");
                Check.That(Sampler.TryDecodeBatch(samplers, brain, LogitFormat.BF16, 3, results), "bf16");
                Check.SameSequence(new[] { 1, 0 }, results.Select(r => r.Token), "bf16");
                fixed (ushort* pointer = half)
                {
                    // Skips the first logit of each row.
                    Sampler.DecodeBatch(
                        samplers, pointer + 1, LogitFormat.F16, 2, results, new BatchOptions { RowStride = 3 });
                    Check.SameSequence(new[] { 0, 1 }, results.Select(r => r.Token), "pointer");
                    Check.That(Sampler.TryDecodeBatch(samplers, pointer, LogitFormat.F16, 3, results), "pointer");
                    Check.SameSequence(new[] { 1, 0 }, results.Select(r => r.Token), "pointer");
                }
            }
        }

        [Test]
        public static void FailedRowLeavesOthersDecoded()
        {
            var logits = Enumerable.Range(0, 4).SelectMany(r => Inputs.Row(Vocab, (ulong)r)).ToArray();
            logits[Vocab + 5] = float.PositiveInfinity;
            for (var i = 0; i < Vocab; i++)
            {
                logits[2 * Vocab + i] = float.NegativeInfinity;
            }
            WithSamplers(4, samplers =>
            {
                var results = new DecodeResult[4];
                var e = Check.Refused(
                    Status.InvalidLogits, () => Sampler.DecodeBatch(samplers, logits, Vocab, results));
                Check.Equal(1, e.Row ?? -1, "the first row that failed");
                Check.Equal("row 1: " + samplers[1].LastError, e.Message);
                Check.That(!Sampler.TryDecodeBatch(samplers, logits, Vocab, results), "two rows fail");
                Check.SameSequence(
                    new[] { Status.Ok, Status.InvalidLogits, Status.EmptySupport, Status.Ok },
                    results.Select(r => r.Status));
                Check.Equal(-1, results[2].Token);
                Check.Equal("", samplers[0].LastError);
                var second = Inputs.Alone(Inputs.Chain, 0, Inputs.Row(Vocab, 0), 2)[1];
                Check.Equal(second, results[0].Token, "the other rows went on");
            });
        }

        [Test]
        public static void SamplerGivenTwiceDecodesItsFirstRow()
        {
            var logits = Enumerable.Range(0, 3).SelectMany(r => Inputs.Row(Vocab, (ulong)r)).ToArray();
            using (var sampler = new Sampler("greedy", 0))
            using (var other = new Sampler("greedy", 0))
            {
                var results = new DecodeResult[3];
                Check.That(!Sampler.TryDecodeBatch(new[] { sampler, other, sampler }, logits, Vocab, results), "twice");
                Check.SameSequence(
                    new[] { Status.Ok, Status.Ok, Status.InvalidArgument }, results.Select(r => r.Status));
                Check.Contains("samplers[2] is samplers[0] again", sampler.LastError);
                sampler.Decode(logits);
                other.Decode(logits);
            }
        }

        [Test]
        public static void InvalidArgumentsThrowBeforeAnyRowIsDecoded()
        {
            WithSamplers(2, samplers =>
            {
                var logits = new float[2 * Vocab];
                var results = new DecodeResult[2];
                Action<BatchOptions> with = o => Sampler.DecodeBatch(samplers, logits, Vocab, results, o);
                Check.Throws<ArgumentNullException>(() => Sampler.DecodeBatch(null, logits, Vocab, results));
                Check.Throws<ArgumentNullException>(() => Sampler.DecodeBatch(samplers, (float[])null, Vocab, results));
                Check.Throws<ArgumentNullException>(() => Sampler.DecodeBatch(samplers, logits, Vocab, null));
                Check.Throws<ArgumentException>(() => Sampler.DecodeBatch(samplers, logits, Vocab + 1, results));
                Check.Throws<ArgumentException>(() => Sampler.DecodeBatch(samplers, logits, Vocab, new DecodeResult[1]));
                Check.Throws<ArgumentOutOfRangeException>(() => Sampler.DecodeBatch(samplers, logits, 0, results));
                Check.Throws<ArgumentOutOfRangeException>(() => Sampler.DecodeBatch(samplers, logits, -1, results));
                Check.Throws<ArgumentOutOfRangeException>(
                    () => Sampler.DecodeBatch(samplers, logits, int.MinValue, results));
                Check.Throws<ArgumentException>(() => with(new BatchOptions { RowStride = int.MaxValue }));
                Check.Throws<ArgumentOutOfRangeException>(() => with(new BatchOptions { RowStride = Vocab - 1 }));
                Check.Throws<ArgumentOutOfRangeException>(() => with(new BatchOptions { Rows = 3 }));
                Check.Throws<ArgumentOutOfRangeException>(() => with(new BatchOptions { Rows = -1 }));
                Check.Throws<ArgumentOutOfRangeException>(() => with(new BatchOptions { Threads = -1 }));
                Check.Throws<ArgumentException>(() => with(new BatchOptions { Mask = new uint[49] }));
                Check.Throws<ArgumentOutOfRangeException>(
                    () => with(new BatchOptions { Mask = new uint[50], MaskStride = 0 }));
                Check.Throws<ArgumentException>(
                    () => Sampler.DecodeBatch(new[] { samplers[0], null }, logits, Vocab, results));
                Check.Throws<ArgumentException>(
                    () => Sampler.DecodeBatch(samplers, new ushort[2 * Vocab], LogitFormat.F32, Vocab, results));
                Check.Refused(Status.InvalidArgument, () => with(new BatchOptions { Flags = (DecodeFlags)64 }));
                Check.Refused(
                    Status.InvalidArgument,
                    () => Sampler.DecodeBatch(samplers, (void*)null, LogitFormat.F32, Vocab, results));
                Check.Refused(
                    Status.InvalidArgument,
                    () => Sampler.DecodeBatch(samplers, (void*)2, (LogitFormat)7, Vocab, results));
                // The first sampler was released each time, and did not advance.
                var row = Inputs.Row(Vocab, 0);
                Check.SameSequence(Inputs.Alone(Inputs.Chain, 0, row, 5), Inputs.Draw(samplers[0], row, 5));
            });
        }

        private static void Compare(float[] logits, int stride, BatchOptions options)
        {
            WithSamplers(Rows, samplers =>
            {
                var results = new DecodeResult[Rows];
                var steps = Enumerable.Range(0, 8).Select(_ =>
                {
                    Sampler.DecodeBatch(samplers, logits, Vocab, results, options);
                    return results.Select(r => r.Token).ToArray();
                }).ToArray();
                for (var r = 0; r < Rows; r++)
                {
                    var row = new float[Vocab];
                    Array.Copy(logits, r * stride, row, 0, Vocab);
                    Check.SameSequence(
                        Inputs.Alone(Inputs.Chain, (ulong)r, row, 8), steps.Select(step => step[r]), "row " + r);
                }
            });
        }

        /// <summary>Runs an action with samplers of the same chain and the seeds 0, 1, 2 and so on.</summary>
        private static void WithSamplers(int count, Action<Sampler[]> action)
        {
            var samplers = Enumerable.Range(0, count).Select(r => new Sampler(Inputs.Chain, (ulong)r)).ToArray();
            try
            {
                action(samplers);
            }
            finally
            {
                Array.ForEach(samplers, sampler => sampler.Dispose());
            }
        }
    }
}
