using System;
using System.Linq;

namespace Bregman.Tests
{
    internal static class DistributionTests
    {
        private static readonly float[] Readme =
            Inputs.Logs(0.5, 0.2, 0.1, 0.08, 0.05, 0.03, 0.02, 0.01, 0.006, 0.004);

        // The README's table: five tokens kept.
        [Test]
        public static void DistributionOfTheReadme()
        {
            Kept("0.5", 0.5492, 0.2121, 0.1042, 0.0830, 0.0515);
            Kept("1", 0.5376, 0.2151, 0.1075, 0.0860, 0.0538);
            Kept("1.5", 0.5248, 0.2158, 0.1113, 0.0901, 0.0580);
            Kept("2", 0.5140, 0.2140, 0.1140, 0.0940, 0.0640);
            Kept("3", 0.5032, 0.2079, 0.1150, 0.0981, 0.0757);
            Kept("inf", 0.5, 0.2, 0.1, 0.1, 0.1);
        }

        [Test]
        public static void ShortArraysAreLeftUnchanged()
        {
            using (var sampler = new Sampler("top_k(5)", 0))
            {
                int[] ids = { -7, -7, -7, -7 };
                float[] probabilities = { -7, -7, -7, -7 };
                Check.That(!sampler.TryDistribution(Readme, ids, probabilities, out var length), "four are too few");
                Check.Equal(5, length);
                Check.That(ids.All(id => id == -7) && probabilities.All(p => p == -7), "nothing is written");
                ids = new int[8];
                probabilities = new float[8];
                Check.That(sampler.TryDistribution(Readme, ids, probabilities, out length), "eight are enough");
                Check.Equal(5, length);
                Check.SameSequence(new[] { 0, 1, 2, 3, 4 }, ids.Take(5));
                Check.Near(1, probabilities.Take(5).Sum(), 1e-6, "the sum");
            }
        }

        [Test]
        public static void ChainWithoutTruncationReturnsTheWholeVocabulary()
        {
            var logits = Inputs.Row(3000, 1);
            using (var sampler = new Sampler("temperature(0.5)", 0))
            {
                var distribution = sampler.Distribution(logits);
                Check.Equal(logits.Length, distribution.Length);
                Check.SameSequence(
                    Enumerable.Range(0, logits.Length).OrderByDescending(i => logits[i]).ThenBy(i => i),
                    distribution.Select(entry => entry.Token));
                var weights = logits.Select(x => Math.Exp(x / 0.5)).ToArray();
                var total = weights.Sum();
                Check.That(
                    distribution.All(e => Math.Abs(weights[e.Token] / total - e.Probability) < 1e-6),
                    "the softmax at the chain's temperature");
            }
        }

        [Test]
        public static void ProcessWritesLogProbabilities()
        {
            var logits = Inputs.Row(400, 2);
            using (var sampler = new Sampler(Inputs.Chain, 0))
            {
                var distribution = sampler.Distribution(logits);
                var processed = (float[])logits.Clone();
                sampler.Process(processed);
                var kept = distribution.ToDictionary(entry => entry.Token, entry => entry.Probability);
                for (var token = 0; token < processed.Length; token++)
                {
                    if (kept.TryGetValue(token, out var p))
                    {
                        Check.Near(Math.Log(p), processed[token], 1e-5, "ln p of " + token);
                    }
                    else
                    {
                        Check.That(float.IsNegativeInfinity(processed[token]), token + " is off the support");
                    }
                }
            }
        }

        [Test]
        public static void DistributionAndProcessAdvanceNothing()
        {
            var logits = Inputs.Row(400, 2);
            using (var sampler = new Sampler(Inputs.Chain, 9))
            {
                sampler.Distribution(logits);
                sampler.Process((float[])logits.Clone());
                Check.SameSequence(Inputs.Alone(Inputs.Chain, 9, logits, 20), Inputs.Draw(sampler, logits, 20));
            }
        }

        private static void Kept(string alpha, params double[] expected)
        {
            using (var sampler = new Sampler("bregman(alpha=" + alpha + ", k=5)", 0))
            {
                var distribution = sampler.Distribution(Readme);
                Check.SameSequence(new[] { 0, 1, 2, 3, 4 }, distribution.Select(entry => entry.Token), alpha);
                for (var i = 0; i < expected.Length; i++)
                {
                    Check.Near(expected[i], distribution[i].Probability, 0.00005001, "alpha " + alpha + ", token " + i);
                }
            }
        }
    }
}
