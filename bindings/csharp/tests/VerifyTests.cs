using System;
using System.Collections.Generic;
using System.Linq;

namespace Bregman.Tests
{
    internal static class VerifyTests
    {
        private const string Chain = "penalties(presence=0.5) | top_k(20) | draw";
        private const int Vocab = 200;

        private static readonly float[][] Rows = Enumerable.Range(0, 5).Select(r => Inputs.Row(Vocab, (ulong)r)).ToArray();

        [Test]
        public static void MatchGivesTheTokensOfPlainDecoding()
        {
            var expected = Plain(0, 1, 2, 3);
            for (var right = 0; right < 4; right++)
            {
                var tokens = expected.Take(3).Select((t, i) => i < right ? t : (t + 1) % Vocab).ToArray();
                using (var sampler = new Sampler(Chain, 5))
                {
                    var options = new BatchOptions { Flags = DecodeFlags.Accept | DecodeFlags.Entropy, Threads = right };
                    var found = Sampler.Verify(
                        new[] { sampler }, new[] { new Draft(tokens) }, Gather(0, 1, 2, 3), Vocab, options)[0];
                    Check.Equal(Status.Ok, found.Status);
                    Check.SameSequence(Enumerable.Range(0, right), found.Path);
                    Check.SameSequence(expected.Take(right + 1), found.Results.Select(r => r.Token));
                    Check.That(found.Results.All(r => r.Entropy > 0), "the entropy was asked for");
                    Check.SameSequence(expected.Take(right + 1), sampler.History());
                    Check.Equal((ulong)right + 1, sampler.Position);
                }
            }
        }

        [Test]
        public static void ATreeIsFollowed()
        {
            var expected = Plain(0, 2, 4);
            var tree = new Draft(new[] { (expected[0] + 1) % Vocab, expected[0], (expected[1] + 1) % Vocab, expected[1] })
            {
                Parents = new[] { -1, -1, 1, 1 },
            };
            using (var sampler = new Sampler(Chain, 5))
            {
                var found = Sampler.Verify(new[] { sampler }, new[] { tree }, Gather(0, 1, 2, 3, 4), Vocab)[0];
                Check.SameSequence(new[] { 1, 3 }, found.Path);
                Check.SameSequence(expected, found.Results.Select(r => r.Token));
                Check.SameSequence(expected.Take(2), sampler.History());
            }
        }

        [Test]
        public static void TheTextHasTheTargetsDistribution()
        {
            double[] p = { 0.5, 0.3, 0.15, 0.05 };
            var target = Inputs.Logs(p).Concat(Inputs.Logs(p)).ToArray();
            var of = Inputs.Logs(0.2, 0.2, 0.2, 0.4);
            const int n = 4000;
            foreach (var rule in new[] { DraftRule.Token, DraftRule.Block })
            {
                using (var drafting = new Sampler("draw", 99))
                using (var sampler = new Sampler("draw", 7))
                {
                    var counts = new double[4];
                    var accepted = 0;
                    for (var i = 0; i < n; i++)
                    {
                        var draft = new Draft(new[] { drafting.Decode(of).Token }, rule)
                        {
                            Laws = Sampler.DistributionBatch(new[] { drafting }, of, 4),
                        };
                        var found = Sampler.Verify(new[] { sampler }, new[] { draft }, target, 4)[0];
                        counts[found.Results[0].Token]++;
                        accepted += found.Path.Length;
                    }
                    var chi = counts.Select((c, t) => Math.Pow(c - (p[t] * n), 2) / (p[t] * n)).Sum();
                    // 3 degrees of freedom: p is 1e-6. The acceptance rate is the sum of min(p, q), .6.
                    Check.That(chi < 30, rule + ": chi-square " + chi);
                    Check.That(Math.Abs(accepted - (0.6 * n)) < 5 * Math.Sqrt(0.24 * n), rule + ": accepted " + accepted);
                }
            }
        }

        [Test]
        public static void AFailedSequenceFailsNoOther()
        {
            using (var a = new Sampler(Chain, 1))
            using (var b = new Sampler(Chain, 2))
            using (var c = new Sampler(Chain, 3))
            {
                var law = new[] { new TokenProbability(1, 0.5f), new TokenProbability(2, 0.5f) };
                var good = new Draft(new[] { 1 }, DraftRule.Token) { Laws = new[] { law } };
                var wrong = new Draft(new[] { 7 }, DraftRule.Token) { Laws = new[] { law } };
                var before = b.Save();
                var rows = Gather(0, 1, 2, 3, 4, 0);
                Check.That(!Sampler.TryVerify(new[] { a, b, c }, new[] { good, wrong, good }, rows, Vocab, out var found), "fails");
                Check.SameSequence(
                    new[] { Status.Ok, Status.InvalidArgument, Status.Ok }, found.Select(sequence => sequence.Status));
                Check.That(found[0].Results.Length > 0 && found[1].Results.Length == 0, "results");
                Check.Contains("probability 0", b.LastError);
                Check.SameSequence(before, b.Save(), "unchanged");
                var e = Check.Refused(
                    Status.InvalidArgument, () => Sampler.Verify(new[] { a, b }, new[] { good, wrong }, rows, Vocab));
                Check.Equal(1, e.Row);
                using (var learns = new Sampler("mirostat(tau=3)", 1))
                {
                    Check.Refused(
                        Status.Unsupported, () => Sampler.Verify(new[] { learns }, new[] { good }, rows, Vocab));
                }
            }
        }

        [Test]
        public static void MisuseIsRefused()
        {
            using (var sampler = new Sampler(Chain, 1))
            {
                var one = new[] { sampler };
                var rows = Gather(0, 1);
                Wrong(sampler, rows, new Draft(new[] { 1 }) { Parents = new int[0] });
                Wrong(sampler, rows, new Draft(new[] { 1 }, DraftRule.Token) { Laws = new TokenProbability[2][] });
                Wrong(sampler, rows, new Draft(new[] { 1, 2 }));
                Wrong<ArgumentNullException>(sampler, () => Sampler.Verify(one, new Draft[1], rows, Vocab));
                Wrong<ArgumentNullException>(sampler, () => Sampler.Verify(one, null, rows, Vocab));
                Wrong<ArgumentNullException>(sampler, () => new Draft(null));
                Wrong<ArgumentException>(sampler, () => Sampler.Verify(one, new Draft[0], rows, Vocab));
                var draft1 = new[] { new Draft(new[] { 1 }) };
                Wrong<ArgumentException>(sampler, () => Sampler.Verify(one, draft1, rows, Vocab, new BatchOptions { Rows = 1 }));
                Wrong<BregmanException>(
                    sampler, () => Sampler.Verify(one, draft1, rows, Vocab, new BatchOptions { Flags = DecodeFlags.Stay }));
                Wrong<BregmanException>(sampler, () => Sampler.Verify(one, new[] { new Draft(new[] { -1 }) }, rows, Vocab));
                Wrong<BregmanException>(sampler, () => Sampler.Verify(one, new[] { new Draft(new[] { 1 }, (DraftRule)3) }, rows, Vocab));
                Check.Equal(0, Sampler.Verify(new Sampler[0], new Draft[0], rows, Vocab).Length);
            }
        }

        [Test]
        public static void TheModelIsAskedWithoutSamplers()
        {
            var rows = Gather(0, 1);
            var answers = new BatchAnswers
            {
                Given = 2,
                GivenIds = new[] { 3, -1, 4, 5 },
                GivenLogProbabilities = new float[4],
                GivenRanks = new uint[4],
                Top = 1,
                TopIds = new int[2],
                TopLogProbabilities = new float[2],
            };
            Sampler.ModelAnswers(rows, 2, Vocab, answers, new BatchOptions { Threads = 2 });
            using (var draw = new Sampler("draw", 1))
            using (var other = new Sampler("draw", 2))
            {
                var laws = Sampler.DistributionBatch(new[] { draw, other }, rows, Vocab);
                Check.SameSequence(laws.Select(law => law[0].Token), answers.TopIds);
                for (var i = 0; i < 4; i++)
                {
                    var token = answers.GivenIds[i];
                    var p = token < 0 ? double.NaN : laws[i / 2].Single(entry => entry.Token == token).Probability;
                    var close = Math.Abs(answers.GivenLogProbabilities[i] - Math.Log(p)) < 1e-4;
                    Check.That(token < 0 ? float.IsNaN(answers.GivenLogProbabilities[i]) : close, "given " + i);
                }
                Check.Throws<BregmanException>(() => Sampler.DistributionBatch(new[] { draw, draw }, rows, Vocab));
                answers.GivenIds[3] = Vocab;
                Check.Refused(Status.InvalidArgument, () => Sampler.ModelAnswers(rows, 2, Vocab, answers));
                answers.GivenIds = new int[3];
                Check.Throws<ArgumentException>(() => Sampler.ModelAnswers(rows, 2, Vocab, answers));
            }
        }

        private static void Wrong<T>(Sampler sampler, Action action)
            where T : Exception
        {
            Check.Throws<T>(action);
            Check.Equal(0ul, sampler.Position);
        }

        private static void Wrong(Sampler sampler, float[] rows, Draft draft)
        {
            Wrong<ArgumentException>(sampler, () => Sampler.Verify(new[] { sampler }, new[] { draft }, rows, Vocab));
        }

        private static float[] Gather(params int[] numbers)
        {
            return numbers.SelectMany(number => Rows[number]).ToArray();
        }

        private static int[] Plain(params int[] numbers)
        {
            using (var sampler = new Sampler(Chain, 5))
            {
                return numbers.Select(number => SavedTests.Step(sampler, Rows[number])).ToArray();
            }
        }
    }
}
