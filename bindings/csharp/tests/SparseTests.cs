using System;
using System.Linq;

namespace Bregman.Tests
{
    /// <summary>Shards reduced to lists, and sparse rows of them.</summary>
    internal static class SparseTests
    {
        private const int Vocab = 1000;
        private const int Half = 500;
        private const int Count = 64;
        private const int Rows = 3;

        private static readonly float[] Logits = Enumerable.Range(0, Rows)
            .SelectMany(row => Inputs.Row(Vocab, (ulong)row + 70)).ToArray();

        [Test]
        public static void TwoShardsDecodeAsWholeRows()
        {
            var expected = Decoded("top_k(20) | temperature(0.8) | draw", Logits, Vocab, null);
            var lists = Join(out var logits);
            var sparse = Decoded("top_k(20) | temperature(0.8) | draw", logits, 2 * Count, lists);
            Check.SameSequence(expected.Select(r => r.Token), sparse.Select(r => r.Token), "tokens");
            Check.SameSequence(expected.Select(r => r.Support), sparse.Select(r => r.Support), "supports");
            // A mask is by token, and lengths of whole lists change nothing.
            lists.Mask = Enumerable.Repeat(uint.MaxValue, Rows * 32).ToArray();
            Check.Throws<ArgumentException>(() => Decoded("draw", logits, 2 * Count, lists));
            lists.MaskStride = 32;
            lists.Lengths = Enumerable.Repeat(2u * Count, Rows).ToArray();
            sparse = Decoded("top_k(20) | temperature(0.8) | draw", logits, 2 * Count, lists);
            Check.SameSequence(expected.Select(r => r.Token), sparse.Select(r => r.Token), "with a mask");
            Check.Refused(Status.Incomplete, () => Decoded("typical(0.9) | draw", logits, 2 * Count, lists));
        }

        [Test]
        public static void EveryCallOnRowsTakesSparseOnes()
        {
            const string Chain = "top_p(0.6) | draw";
            var lists = Join(out var logits);
            var whole = new BatchOptions { RowIndex = new[] { 2, 0, 2 } };
            lists.RowIndex = whole.RowIndex;
            Using(Chain, samplers =>
            {
                var ours = Sampler.DistributionBatch(samplers, logits, 2 * Count, lists);
                var theirs = Sampler.DistributionBatch(samplers, Logits, Vocab, whole);
                for (var r = 0; r < Rows; r++)
                {
                    Check.SameSequence(theirs[r].Select(e => e.Token), ours[r].Select(e => e.Token), "row " + r);
                    Check.Near(theirs[r][0].Probability, ours[r][0].Probability, 1e-6, "row " + r);
                }
                var of = new Func<BatchAnswers>(() => new BatchAnswers
                {
                    Top = 2,
                    TopIds = new int[Rows * 2],
                    Given = 1,
                    GivenIds = theirs.Select(law => law[0].Token).ToArray(),
                    GivenLogProbabilities = new float[Rows],
                });
                BatchAnswers ofList = of(), ofRow = of();
                Sampler.ModelAnswers(logits, Rows, 2 * Count, ofList, lists);
                Sampler.ModelAnswers(Logits, Rows, Vocab, ofRow, whole);
                Check.SameSequence(ofRow.TopIds, ofList.TopIds, "the most likely");
                for (var r = 0; r < Rows; r++)
                {
                    Check.Near(ofRow.GivenLogProbabilities[r], ofList.GivenLogProbabilities[r], 2e-6, "row " + r);
                }
                Check.Throws<ArgumentException>(
                    () => Sampler.ModelAnswers(Logits, Rows, Vocab, ofRow, new BatchOptions { Mask = new uint[99] }));
            });
            lists.RowIndex = null;
            var right = Using(Chain, samplers => samplers[0].Decode(Logits.Take(Vocab).ToArray()).Token);
            var draft = new Draft(new[] { right, Vocab - 1 });
            Using(Chain, samplers =>
            {
                var one = samplers.Take(1).ToArray();
                var verified = Sampler.Verify(one, new[] { draft }, logits, 2 * Count, lists)[0];
                Check.Equal(right, verified.Results[0].Token);
                Check.That(verified.Results.Length >= 2, "the first drafted token is accepted");
                var by = new Draft(draft.Tokens, DraftRule.Block);
                var refused = Check.Refused(
                    Status.Unsupported, () => Sampler.Verify(one, new[] { by }, logits, 2 * Count, lists));
                Check.Contains("match rule only", refused.Message);
                Check.Throws<ArgumentException>(
                    () => Sampler.Verify(one, new[] { draft }, Logits, Vocab, new BatchOptions { RowIndex = new int[3] }));
            });
        }

        [Test]
        public static void EveryCallOnRowsTakesHalfPrecision()
        {
            // 1, 3 and 2, in both formats.
            ushort[] half = { 0x3C00, 0x4200, 0x4000 }, brain = { 0x3F80, 0x4040, 0x4000 };
            using (var sampler = new Sampler("top_k(2)", 0))
            using (var greedy = new Sampler("greedy", 0))
            {
                foreach (var format in new[] { LogitFormat.F16, LogitFormat.BF16 })
                {
                    var bits = format == LogitFormat.F16 ? half : brain;
                    var law = Sampler.DistributionBatch(new[] { sampler }, bits, format, 3)[0];
                    Check.SameSequence(new[] { 1, 2 }, law.Select(e => e.Token));
                    Check.Near(1 / (1 + Math.Exp(-1)), law[0].Probability, 1e-6);
                    var answers = new BatchAnswers { Top = 1, TopIds = new int[1], TopLogProbabilities = new float[1] };
                    Sampler.ModelAnswers(bits, format, 1, 3, answers);
                    Check.Equal(1, answers.TopIds[0]);
                    Check.Near(-Math.Log(1 + Math.Exp(-1) + Math.Exp(-2)), answers.TopLogProbabilities[0], 1e-6);
                    var none = new[] { new Draft(new int[0]) };
                    Check.Equal(1, Sampler.Verify(new[] { greedy }, none, bits, format, 3)[0].Results[0].Token);
                    Check.Throws<ArgumentException>(() => Sampler.ModelAnswers(bits, LogitFormat.F32, 1, 3, answers));
                }
            }
        }

        [Test]
        public static void ListsHaveTheLargestLogits()
        {
            var all = Sampler.Reduce(Logits, Rows, Vocab, 7, Count, new BatchOptions { Threads = 2 }, 0.5f);
            var row = Logits.Take(Vocab).Select((logit, i) => new { Token = i + 7, Logit = logit })
                .OrderByDescending(l => l.Logit).ToList();
            Check.SameSequence(row.Take(Count).Select(l => l.Logit), all.Logits.Take(Count), "logits");
            Check.SameSequence(row.Take(Count).Select(l => l.Token), all.Ids.Take(Count), "ids");
            Check.Near(Math.Log(row.Skip(Count).Sum(l => Math.Exp(l.Logit / 0.5))), all.LogRest[0], 1e-6, "the rest");
            Check.Equal(true, all.Bound[0] >= row[Count].Logit, "the bound");
        }

        [Test]
        public static void InvalidArgumentsAreRefused()
        {
            Check.Throws<ArgumentException>(() => Sampler.Reduce(Logits, Rows + 1, Vocab, 0, 5));
            Check.Throws<ArgumentOutOfRangeException>(() => Sampler.Reduce(Logits, Rows, Vocab, 0, 0));
            Check.Throws<ArgumentOutOfRangeException>(() => Sampler.Reduce(Logits, Rows, Vocab, -1, 5));
            Check.Throws<ArgumentException>(
                () => Sampler.Reduce(Logits, Rows, Vocab, 0, 5, new BatchOptions { Mask = new uint[Rows * 32] }));
            Check.Refused(
                Status.InvalidArgument, () => Sampler.Reduce(Logits, Rows, Vocab, 0, 5, null, float.NaN));
            Check.Refused(Status.InvalidLogits, () => Sampler.Reduce(new[] { 1, float.NaN }, 1, 2, 0, 1));
            var lists = Join(out var logits);
            foreach (Action<BatchOptions> change in new Action<BatchOptions>[]
            {
                o => o.Ids = o.Ids.Skip(1).ToArray(),
                o => o.LogRest = new double[1],
                o => o.Bound = new float[1],
                o => o.Lengths = new uint[1],
            })
            {
                var wrong = Join(out _);
                change(wrong);
                Check.Throws<ArgumentException>(() => Decoded("greedy", logits, 2 * Count, wrong));
            }
            lists.Answers = new BatchAnswers { Top = 1, TopIds = lists.Ids };
            Check.Throws<ArgumentException>(() => Decoded("greedy", logits, 2 * Count, lists));
        }

        private static void Using(string chain, Action<Sampler[]> use)
        {
            Using(chain, samplers =>
            {
                use(samplers);
                return 0;
            });
        }

        private static T Using<T>(string chain, Func<Sampler[], T> use)
        {
            var samplers = Enumerable.Range(0, Rows).Select(row => new Sampler(chain, (ulong)row)).ToArray();
            try
            {
                return use(samplers);
            }
            finally
            {
                Array.ForEach(samplers, sampler => sampler.Dispose());
            }
        }

        private static DecodeResult[] Decoded(string chain, float[] logits, int vocab, BatchOptions options)
        {
            return Using(chain, samplers =>
            {
                var results = new DecodeResult[Rows];
                Sampler.DecodeBatch(samplers, logits, vocab, results, options);
                return results;
            });
        }

        // The lists of two shards, one behind the other.
        private static BatchOptions Join(out float[] logits)
        {
            var stride = new BatchOptions { RowStride = Vocab };
            var a = Sampler.Reduce(Logits, Rows, Half, 0, Count, stride);
            var b = Sampler.Reduce(Logits.Skip(Half).ToArray(), Rows, Half, Half, Count, stride);
            logits = Both(a.Logits, b.Logits);
            return new BatchOptions
            {
                Ids = Both(a.Ids, b.Ids),
                LogRest = a.LogRest.Zip(b.LogRest, (x, y) => Math.Log(Math.Exp(x) + Math.Exp(y))).ToArray(),
                Bound = a.Bound.Zip(b.Bound, Math.Max).ToArray(),
            };
        }

        private static T[] Both<T>(T[] a, T[] b)
        {
            return Enumerable.Range(0, Rows)
                .SelectMany(row => a.Skip(row * Count).Take(Count).Concat(b.Skip(row * Count).Take(Count))).ToArray();
        }
    }
}
