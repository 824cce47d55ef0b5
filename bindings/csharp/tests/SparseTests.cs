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

        private static DecodeResult[] Decoded(string chain, float[] logits, int vocab, BatchOptions options)
        {
            var samplers = Enumerable.Range(0, Rows).Select(row => new Sampler(chain, (ulong)row)).ToArray();
            var results = new DecodeResult[Rows];
            try
            {
                Sampler.DecodeBatch(samplers, logits, vocab, results, options);
                return results;
            }
            finally
            {
                Array.ForEach(samplers, sampler => sampler.Dispose());
            }
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
