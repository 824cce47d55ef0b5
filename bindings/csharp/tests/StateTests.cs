using System;
using System.Collections.Generic;
using System.Linq;

namespace Bregman.Tests
{
    internal static class StateTests
    {
        private static readonly float[] Logits = Inputs.Row(600, 12);

        [Test]
        public static void SeedsGiveDifferentTokens()
        {
            Check.That(
                !Inputs.Alone("draw", 1, Logits, 50).SequenceEqual(Inputs.Alone("draw", 2, Logits, 50)), "two seeds");
            Check.SameSequence(
                Inputs.Alone("draw", ulong.MaxValue, Logits, 50), Inputs.Alone("draw", ulong.MaxValue, Logits, 50));
        }

        [Test]
        public static void ReseedResumesAndResetRestarts()
        {
            var expected = Inputs.Alone(Inputs.Chain, 21, Logits, 30);
            using (var sampler = new Sampler(Inputs.Chain, 5))
            {
                var own = Inputs.Draw(sampler, Logits, 3);
                sampler.Reseed(21, 10);
                Check.SameSequence(expected.Skip(10), Inputs.Draw(sampler, Logits, 20), "resumed");
                sampler.Reseed(21);
                Check.SameSequence(expected, Inputs.Draw(sampler, Logits, 30), "from the start");
                sampler.Reset();
                Check.SameSequence(own, Inputs.Draw(sampler, Logits, 3), "the seed of creation");
            }
        }

        [Test]
        public static void CloneIsIndependent()
        {
            using (var sampler = new Sampler(Inputs.Chain, 8))
            {
                Inputs.Draw(sampler, Logits, 4);
                sampler.SetLogitBias(new[] { 3 }, new[] { 100f });
                Sampler clone;
                using (clone = sampler.Clone())
                {
                    Check.Equal(3, clone.Decode(Logits).Token, "the bias came along");
                    clone.SetLogitBias(new int[0], new float[0]);
                    Check.Equal(3, sampler.Decode(Logits).Token, "the original has its own");
                    Check.SameSequence(
                        Inputs.Alone(Inputs.Chain, 8, Logits, 20).Skip(5), Inputs.Draw(clone, Logits, 15), "the position");
                }
                Check.Throws<ObjectDisposedException>(() => clone.Decode(Logits));
                sampler.Decode(Logits);
            }
        }

        [Test]
        public static void LogitBiasForcesAndBansTokens()
        {
            using (var sampler = new Sampler("greedy", 0))
            {
                var best = sampler.Decode(Logits).Token;
                sampler.SetLogitBias(new Dictionary<int, float> { { best, float.NegativeInfinity }, { 9999, 1 } });
                Check.That(sampler.Decode(Logits).Token != best, "banned");
                sampler.SetLogitBias(new[] { 17 }, new[] { 50f });
                Check.Equal(17, sampler.Decode(Logits).Token, "forced");
                Check.Refused(Status.InvalidArgument, () => sampler.SetLogitBias(new[] { -1 }, new[] { 0f }));
                Check.Refused(Status.InvalidArgument, () => sampler.SetLogitBias(new[] { 4 }, new[] { float.NaN }));
                Check.Refused(Status.InvalidArgument, () => sampler.SetLogitBias(new[] { 4, 4 }, new[] { 1f, 2f }));
                Check.Throws<ArgumentException>(() => sampler.SetLogitBias(new[] { 1, 2 }, new[] { 0f }));
                Check.Equal(17, sampler.Decode(Logits).Token, "a refused bias leaves the old one");
                sampler.SetLogitBias(new Dictionary<int, float>());
                Check.Equal(best, sampler.Decode(Logits).Token, "none left");
            }
        }

        [Test]
        public static void AcceptRefusesNegativeTokens()
        {
            using (var sampler = new Sampler("greedy", 0))
            {
                sampler.Accept(5);
                sampler.Accept(new[] { 1, 2, int.MaxValue });
                sampler.Accept(new int[0]);
                Check.Contains("-1", Check.Refused(Status.InvalidArgument, () => sampler.Accept(-1)).Message);
                Check.Refused(Status.InvalidArgument, () => sampler.Accept(new[] { 1, int.MinValue }));
            }
        }

        [Test]
        public static void DescribeIsAcceptedByTheConstructor()
        {
            using (var sampler = new Sampler(" temp( 0.80 )|bregman(1.5,floor=.01) |dist", 3))
            {
                var text = sampler.Describe();
                using (var again = new Sampler(text, 3))
                {
                    Check.Equal(text, again.Describe());
                    Check.SameSequence(Inputs.Draw(sampler, Logits, 20), Inputs.Draw(again, Logits, 20));
                }
                Check.Contains("temperature", text);
                Check.Contains("draw", text);
            }
        }
    }
}
