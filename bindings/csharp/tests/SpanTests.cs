#if NETCOREAPP3_0_OR_GREATER
using System;
using System.Linq;

namespace Bregman.Tests
{
    internal static class SpanTests
    {
        private static readonly float[] Padded = new[] { float.NaN }.Concat(Inputs.Row(200, 3)).ToArray();

        private static readonly float[] Logits = Padded.Skip(1).ToArray();

        [Test]
        public static void SlicesDecodeAsArrays()
        {
            var expected = Inputs.Alone(Inputs.Chain, 3, Logits, 20);
            using (var one = new Sampler(Inputs.Chain, 3))
            using (var two = new Sampler(Inputs.Chain, 3))
            using (var three = new Sampler(Inputs.Chain, 3))
            {
                var results = new DecodeResult[2];
                foreach (var token in expected)
                {
                    Check.Equal(token, one.Decode(Padded.AsSpan(1)).Token);
                    Check.That(two.TryDecode(Padded.AsSpan(1), out var result), two.LastError);
                    Check.Equal(token, result.Token);
                    Sampler.DecodeBatch(new[] { three }, Padded.AsSpan(1), 200, results.AsSpan(1));
                    Check.Equal(token, results[1].Token);
                }
                Check.That(!Sampler.TryDecodeBatch(new[] { one }, Padded.AsSpan(0, 200), 200, results), "a NaN");
            }
        }

        [Test]
        public static void SpansOfMasksAndHalfPrecision()
        {
            using (var sampler = new Sampler("greedy", 0))
            {
                ReadOnlySpan<uint> mask = new[] { 1u << 9 };
                Check.Equal(9, sampler.Decode(Padded.AsSpan(1), DecodeFlags.None, mask).Token);
                ReadOnlySpan<ushort> half = new ushort[] { 0x3C00, 0x4200, 0x4000 };
                Check.Equal(1, sampler.Decode(half, LogitFormat.F16).Token);
                var results = new DecodeResult[1];
                Sampler.DecodeBatch(new[] { sampler }, half, LogitFormat.BF16, 3, results.AsSpan());
                Check.Equal(1, results[0].Token);
            }
        }

        [Test]
        public static void SpansOfDistributionProcessAndApply()
        {
            using (var sampler = new Sampler("top_k(4)", 0))
            {
                var expected = sampler.Distribution(Logits);
                Check.SameSequence(expected, sampler.Distribution(Padded.AsSpan(1)));
                Span<int> ids = stackalloc int[4];
                Span<float> probabilities = stackalloc float[4];
                Check.That(sampler.TryDistribution(Padded.AsSpan(1), ids, probabilities, out var length), "four fit");
                Check.Equal(4, length);
                Check.SameSequence(expected.Select(e => e.Token), ids.ToArray());
                var candidates = Logits.Select((logit, id) => new Candidate(id, logit)).ToArray();
                Check.Equal(4, sampler.Apply(candidates.AsSpan()).Count);
                Check.SameSequence(ids.ToArray(), candidates.Take(4).Select(c => c.Id));
                var processed = (float[])Padded.Clone();
                sampler.Process(processed.AsSpan(1));
                Check.That(float.IsNaN(processed[0]), "outside the span nothing is touched");
                Check.Equal(4, processed.Count(x => !float.IsNaN(x) && !float.IsNegativeInfinity(x)));
            }
        }

        [Test]
        public static void SpansOfSeveralTokens()
        {
            using (var sampler = new Sampler("top_k(4)", 6))
            {
                var drawn = sampler.DrawMany(Logits, 3);
                sampler.Reset();
                Check.SameSequence(drawn, sampler.DrawMany(Padded.AsSpan(1), 3));
                Span<int> ids = stackalloc int[6];
                Span<float> logProbabilities = stackalloc float[6];
                Span<float> scores = stackalloc float[6];
                sampler.Reset();
                Check.Equal(4, sampler.DrawMany(Padded.AsSpan(1), ids, logProbabilities, scores));
                Check.SameSequence(drawn.Select(d => d.Token), ids.Slice(0, 3).ToArray());
                Check.SameSequence(drawn.Select(d => d.Score), scores.Slice(0, 3).ToArray());
                sampler.Reset();
                Check.Equal(4, sampler.DrawMany(Padded.AsSpan(1), ids, logProbabilities), "without the scores");
                Check.SameSequence(drawn.Select(d => d.LogProbability), logProbabilities.Slice(0, 3).ToArray());
                var top = sampler.TopLogProbabilities(Logits, 6);
                Check.SameSequence(top, sampler.TopLogProbabilities(Padded.AsSpan(1), 6));
                Check.Equal(6, sampler.TopLogProbabilities(Padded.AsSpan(1), ids, logProbabilities));
                Check.SameSequence(top.Select(t => t.Token), ids.ToArray());
                ReadOnlySpan<uint> mask = new[] { 1u << 3 };
                sampler.SetMask(mask);
                Check.Equal(3, sampler.DrawMany(Logits, 1)[0].Token);
                sampler.SetMask(default(ReadOnlySpan<uint>));
                Check.Equal(4, sampler.Distribution(Logits).Length, "all are allowed again");
                var same = new float[6];
                Check.Throws<ArgumentException>(
                    () => sampler.DrawMany(same.AsSpan(0, 3), new int[3].AsSpan(), same.AsSpan(2, 3)));
            }
        }

        [Test]
        public static void SpansOfStateAndInvalidArguments()
        {
            using (var sampler = new Sampler("greedy", 0))
            {
                sampler.Accept(new[] { 1, 2 }.AsSpan());
                sampler.SetLogitBias(new[] { 5 }.AsSpan(), new[] { 99f }.AsSpan());
                Check.Equal(5, sampler.Decode(Logits).Token);
                Check.Refused(Status.InvalidArgument, () => sampler.Accept(new[] { -1 }.AsSpan()));
                Check.Throws<ArgumentException>(() => sampler.SetLogitBias(new[] { 5 }.AsSpan(), new float[0].AsSpan()));
                Check.Throws<ArgumentException>(() => sampler.Decode(default(ReadOnlySpan<float>)));
                Check.Throws<ArgumentException>(() => sampler.Distribution(default(ReadOnlySpan<float>)));
                Check.Throws<ArgumentException>(() => sampler.Process(default(Span<float>)));
                Check.Throws<ArgumentException>(() => sampler.Decode(new ushort[1].AsSpan(), LogitFormat.F32));
                Check.Throws<ArgumentException>(
                    () => Sampler.DecodeBatch(new[] { sampler }, Logits.AsSpan(1), 200, new DecodeResult[1].AsSpan()));
                Check.Refused(Status.EmptySupport, () => sampler.Apply(default(Span<Candidate>)));
            }
        }
    }
}
#endif
