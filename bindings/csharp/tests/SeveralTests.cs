using System;
using System.Linq;

namespace Bregman.Tests
{
    /// <summary>Several tokens of one row: draws without replacement, and the most likely tokens.</summary>
    internal static unsafe class SeveralTests
    {
        private const string Stages = "temperature(0.8) | bregman(alpha=1.5, floor=0.01)";

        private static readonly float[] Logits = Inputs.Row(600, 12);

        [Test]
        public static void FirstDrawEqualsTheChainWithGumbel()
        {
            using (var one = new Sampler(Stages + " | gumbel", 7))
            using (var many = new Sampler(Stages + " | draw", 7))
            {
                for (var position = 0; position < 40; position++)
                {
                    var drawn = many.DrawMany(Logits, 3);
                    Check.Equal(one.Decode(Logits).Token, drawn[0].Token, "position " + position);
                }
            }
        }

        [Test]
        public static void DrawsAreDistinctOrderedAndExtendable()
        {
            using (var sampler = new Sampler(Stages, 5))
            {
                var decoded = sampler.Distribution(Logits).ToDictionary(e => e.Token, e => e.Probability);
                var all = sampler.DrawMany(Logits, int.MaxValue);
                Check.SameSequence(decoded.Keys.OrderBy(id => id), all.Select(d => d.Token).OrderBy(id => id), "the support");
                Check.SameSequence(all.OrderByDescending(d => d.Score), all, "by score");
                foreach (var drawn in all)
                {
                    Check.Near(Math.Log(decoded[drawn.Token]), drawn.LogProbability, 1e-5, "ln p of " + drawn.Token);
                }
                sampler.Reseed(5);
                Check.SameSequence(all.Take(2), sampler.DrawMany(Logits, 2), "more append");
                fixed (float* pointer = Logits)
                {
                    var next = sampler.DrawMany(pointer, Logits.Length, 4);
                    sampler.Reseed(5, 1);
                    Check.SameSequence(next, sampler.DrawMany(Logits, 4), "one position on");
                }
            }
        }

        [Test]
        public static void DrawManyFillsTheCallersArrays()
        {
            using (var sampler = new Sampler("top_k(3)", 5))
            {
                var expected = sampler.DrawMany(Logits, 3);
                var ids = Enumerable.Repeat(-7, 5).ToArray();
                var logProbabilities = new float[5];
                var scores = new float[5];
                sampler.Reset();
                Check.Equal(3, sampler.DrawMany(Logits, ids, logProbabilities, scores));
                Check.SameSequence(expected.Select(d => d.Token).Concat(new[] { -7, -7 }), ids);
                Check.SameSequence(expected.Select(d => d.LogProbability), logProbabilities.Take(3));
                Check.SameSequence(expected.Select(d => d.Score), scores.Take(3));
                sampler.Reset();
                Check.Equal(3, sampler.DrawMany(Logits, ids, logProbabilities), "without the scores");
                Check.SameSequence(expected.Select(d => d.Token), ids.Take(3));
            }
        }

        [Test]
        public static void TopLogProbabilitiesOfModelAreLogSoftmax()
        {
            var total = Logits.Sum(x => Math.Exp(x));
            var best = Enumerable.Range(0, Logits.Length).OrderByDescending(i => Logits[i]).ThenBy(i => i).Take(9);
            using (var sampler = new Sampler(Stages + " | draw", 2))
            {
                // Neither changes the model's.
                sampler.SetLogitBias(new[] { 3 }, new[] { 20f });
                sampler.SetMask(new[] { 1u << 3 | 1u << 4 });
                var top = sampler.TopLogProbabilities(Logits, 9);
                Check.SameSequence(best, top.Select(t => t.Token));
                foreach (var entry in top)
                {
                    Check.Near(Logits[entry.Token] - Math.Log(total), entry.LogProbability, 1e-4, "token " + entry.Token);
                }
                Check.Equal(3, sampler.TopLogProbabilities(Logits, 1, LogProbabilitySource.OfDecoded)[0].Token);
            }
        }

        [Test]
        public static void TopLogProbabilitiesOfDecodedEqualTheDistribution()
        {
            using (var sampler = new Sampler(Stages + " | draw", 2))
            {
                var decoded = sampler.Distribution(Logits);
                var top = sampler.TopLogProbabilities(Logits, 4000, LogProbabilitySource.OfDecoded);
                Check.SameSequence(decoded.Select(e => e.Token), top.Select(e => e.Token));
                Check.That(
                    decoded.Zip(top, (e, t) => Math.Abs(Math.Log(e.Probability) - t.LogProbability)).All(d => d < 1e-5), "ln p");
                fixed (float* pointer = Logits)
                {
                    Check.SameSequence(
                        top.Take(2), sampler.TopLogProbabilities(pointer, 600, 2, LogProbabilitySource.OfDecoded));
                }
                var ids = new int[decoded.Length + 2];
                var logProbabilities = new float[ids.Length];
                var found = sampler.TopLogProbabilities(Logits, ids, logProbabilities, LogProbabilitySource.OfDecoded);
                Check.Equal(decoded.Length, found);
                Check.SameSequence(decoded.Select(e => e.Token).Concat(new[] { -1, -1 }), ids, "the rest is filled");
                Check.SameSequence(new[] { float.NegativeInfinity, float.NegativeInfinity }, logProbabilities.Skip(found));
                Check.SameSequence(Inputs.Alone(Stages + " | draw", 2, Logits, 9), Inputs.Draw(sampler, Logits, 9));
            }
        }

        [Test]
        public static void InvalidCountsAndArraysAreRefused()
        {
            using (var sampler = new Sampler("draw", 0))
            {
                float[] floats = new float[4], spoilt = { 1, float.NaN };
                var ids = new int[4];
                Check.Throws<ArgumentOutOfRangeException>(() => sampler.DrawMany(Logits, 0));
                Check.Throws<ArgumentOutOfRangeException>(() => sampler.DrawMany(Logits, -1));
                Check.Throws<ArgumentOutOfRangeException>(() => sampler.TopLogProbabilities(Logits, 0));
                Check.Throws<ArgumentOutOfRangeException>(() => sampler.TopLogProbabilities(Logits, int.MinValue));
                Check.Throws<ArgumentException>(() => sampler.DrawMany(new float[0], 1));
                Check.Throws<ArgumentException>(() => sampler.TopLogProbabilities(new float[0], 1));
                Check.Throws<ArgumentException>(() => sampler.DrawMany(Logits, ids, new float[3]));
                Check.Throws<ArgumentException>(() => sampler.DrawMany(Logits, ids, floats, new float[5]));
                Check.Throws<ArgumentException>(() => sampler.DrawMany(Logits, new int[0], new float[0]));
                Check.Throws<ArgumentException>(() => sampler.TopLogProbabilities(Logits, ids, new float[5]));
                Check.Throws<ArgumentException>(() => sampler.TopLogProbabilities(Logits, new int[0], new float[0]));
                Check.Contains("logits", Check.Throws<ArgumentException>(() => sampler.DrawMany(floats, ids, floats)).Message);
                Check.Throws<ArgumentException>(() => sampler.DrawMany(Logits, ids, floats, floats));
                Check.Throws<ArgumentException>(() => sampler.TopLogProbabilities(floats, ids, floats));
                Check.Refused(Status.InvalidLogits, () => sampler.DrawMany(spoilt, 1));
                Check.Refused(Status.InvalidLogits, () => sampler.TopLogProbabilities(spoilt, 1));
                Check.Refused(Status.EmptySupport, () => sampler.DrawMany(new[] { float.NegativeInfinity }, 1));
                Check.Refused(Status.InvalidArgument, () => sampler.DrawMany((float*)null, 3, 2));
                Check.Refused(Status.InvalidArgument, () => sampler.DrawMany((float*)8, -3, 2));
                Check.Refused(Status.InvalidArgument, () => sampler.TopLogProbabilities((float*)2, 3, 2));
                Check.Refused(
                    Status.InvalidArgument, () => sampler.TopLogProbabilities(Logits, 1, (LogProbabilitySource)2));
                Check.SameSequence(Inputs.Alone("draw", 0, Logits, 5), Inputs.Draw(sampler, Logits, 5), "nothing advanced");
            }
        }
    }
}
