using System;
using System.Linq;

namespace Bregman.Tests
{
    internal static unsafe class DecodeTests
    {
        // The README's distribution: the first five probabilities.
        private static readonly float[] Readme =
            Inputs.Logs(0.5, 0.2, 0.1, 0.08, 0.05, 0.03, 0.02, 0.01, 0.006, 0.004);

        [Test]
        public static void GreedyTakesTheLargestLogitAndTheLowestIdOfTies()
        {
            using (var sampler = new Sampler("greedy", 0))
            {
                var result = sampler.Decode(new[] { 1f, 7f, -2f, 7f });
                Check.Equal(1, result.Token);
                Check.Equal(Status.Ok, result.Status);
                Check.Equal(1u, result.Support);
                Check.Equal(1f, result.Probability);
                Check.That(float.IsNaN(result.Entropy) && float.IsNaN(result.KeptMass), "figures that were not requested are NaN");
            }
        }

        [Test]
        public static void FiguresEqualTheirDefinitions()
        {
            var all = DecodeFlags.KeptMass | DecodeFlags.ModelLogProbability | DecodeFlags.Entropy;
            using (var sampler = new Sampler("top_k(3) | draw", 5))
            {
                for (var i = 0; i < 50; i++)
                {
                    var result = sampler.Decode(Readme, all);
                    var p = new[] { 0.5, 0.2, 0.1 };
                    Check.Equal(3u, result.Support);
                    Check.Near(p[result.Token] / 0.8, result.Probability, 1e-6, "p");
                    Check.Near(0.8, result.KeptMass, 1e-6, "kept mass");
                    Check.Near(Math.Log(p[result.Token]), result.ModelLogProbability, 1e-6, "model");
                    Check.Near(-p.Sum(x => x / 0.8 * Math.Log(x / 0.8)), result.Entropy, 1e-6, "entropy");
                }
            }
        }

        [Test]
        public static void DrawsFollowTheProbabilities()
        {
            const int Draws = 100000;
            using (var sampler = new Sampler("top_k(3) | draw", 99))
            {
                var counts = new int[3];
                for (var i = 0; i < Draws; i++)
                {
                    counts[sampler.Decode(Readme).Token]++;
                }
                var p = new[] { 0.5 / 0.8, 0.2 / 0.8, 0.1 / 0.8 };
                for (var token = 0; token < 3; token++)
                {
                    // Five standard deviations.
                    var deviation = Math.Sqrt(Draws * p[token] * (1 - p[token]));
                    Check.Near(Draws * p[token], counts[token], 5 * deviation, "draws of " + token);
                }
            }
        }

        [Test]
        public static void AllOverloadsDecodeTheSameTokens()
        {
            var logits = Inputs.Row(1000, 3);
            var expected = Inputs.Alone(Inputs.Chain, 11, logits, 40);
            Check.That(expected.Distinct().Count() > 3, "the row leaves a choice");
            using (var trying = new Sampler(Inputs.Chain, 11))
            using (var pointing = new Sampler(Inputs.Chain, 11))
            using (var flagged = new Sampler(Inputs.Chain, 11))
            {
                foreach (var token in expected)
                {
                    Check.That(trying.TryDecode(logits, out var result), trying.LastError);
                    Check.Equal(token, result.Token, "TryDecode");
                    Check.Equal(token, flagged.Decode(logits, DecodeFlags.Accept).Token, "with flags");
                    fixed (float* row = logits)
                    {
                        Check.Equal(token, pointing.Decode(row, LogitFormat.F32, logits.Length).Token, "pointer");
                    }
                }
            }
        }

        [Test]
        public static void HalfPrecisionDecodesAsSinglePrecision()
        {
            // Quarters from -8 to 8: exact in half precision and in bfloat16.
            var values = Enumerable.Range(0, 65).Select(i => (i * 29 % 65) / 4f - 8).ToArray();
            var half = Array.ConvertAll(values, Half);
            var brain = Array.ConvertAll(values, x => (ushort)((uint)BitConverter.ToInt32(BitConverter.GetBytes(x), 0) >> 16));
            var expected = Inputs.Alone("draw", 4, values, 60);
            using (var f16 = new Sampler("draw", 4))
            using (var bf16 = new Sampler("draw", 4))
            {
                Check.SameSequence(expected, expected.Select(_ => f16.Decode(half, LogitFormat.F16).Token), "f16");
                Check.SameSequence(expected, expected.Select(_ => bf16.Decode(brain, LogitFormat.BF16).Token), "bf16");
            }
        }

        [Test]
        public static void MaskBansTheOtherTokens()
        {
            var logits = Inputs.Row(100, 8);
            var mask = new uint[] { 0xF0F0F0F0, 0x0000FFFF, 0xFFFFFFFF };
            var banned = (float[])logits.Clone();
            for (var token = 0; token < banned.Length; token++)
            {
                if (token >= 96 || (mask[token / 32] >> (token % 32) & 1) == 0)
                {
                    banned[token] = float.NegativeInfinity;
                }
            }
            var expected = Inputs.Alone("temperature(2) | draw", 1, banned, 100);
            using (var sampler = new Sampler("temperature(2) | draw", 1))
            {
                var tokens = expected.Select(_ => sampler.Decode(logits, DecodeFlags.None, mask).Token);
                Check.SameSequence(expected, tokens, "masked");
                Check.Refused(Status.EmptySupport, () => sampler.Decode(logits, DecodeFlags.None, new uint[4]));
            }
        }

        [Test]
        public static void FailureAdvancesNothing()
        {
            var logits = Inputs.Row(500, 6);
            var expected = Inputs.Alone(Inputs.Chain, 2, logits, 10);
            var spoilt = (float[])logits.Clone();
            spoilt[123] = float.NaN;
            using (var sampler = new Sampler(Inputs.Chain, 2))
            {
                foreach (var token in expected)
                {
                    Check.That(!sampler.TryDecode(spoilt, out var failed), "NaN has no token");
                    Check.Equal(Status.InvalidLogits, failed.Status);
                    Check.Equal(-1, failed.Token);
                    Check.Contains("123", sampler.LastError);
                    var e = Check.Refused(Status.InvalidLogits, () => sampler.Decode(spoilt));
                    Check.Equal(sampler.LastError, e.Message);
                    Check.Equal(token, sampler.Decode(logits).Token);
                }
            }
        }

        /// <summary>The bits of a normal number that is exact in half precision.</summary>
        private static ushort Half(float x)
        {
            var bits = (uint)BitConverter.ToInt32(BitConverter.GetBytes(x), 0);
            if ((bits & 0x7FFFFFFF) == 0)
            {
                return (ushort)(bits >> 16);
            }
            var exponent = (bits >> 23 & 0xFF) - 127 + 15;
            return (ushort)((bits >> 16 & 0x8000) | exponent << 10 | (bits & 0x7FFFFF) >> 13);
        }
    }
}
