using System;
using System.Linq;

namespace Bregman.Tests
{
    /// <summary>Answers of batches, compared with calls on single rows.</summary>
    internal static class AnswersTests
    {
        private const int Rows = 5;
        private const int Vocab = 300;
        private const int Top = 4;
        private const int Kept = 9;
        private const int Words = 10;
        private const int Gap = 3;

        // The row that fails.
        private const int Spoilt = 2;

        [Test]
        public static void AnswersEqualThoseOfSingleRows()
        {
            foreach (LogProbabilitySource source in Enum.GetValues(typeof(LogProbabilitySource)))
            {
                foreach (var threads in new[] { 0, 3 })
                {
                    var answers = Whole(source);
                    var results = Decode(answers, threads);
                    Check.SameSequence(Decode(null, 0).Select(r => r.Token), results.Select(r => r.Token), "the tokens");
                    for (var r = 0; r < Rows; r++)
                    {
                        CheckRow(r, results[r], answers);
                    }
                }
            }
        }

        [Test]
        public static void StridesDefaultToWhatTheRowsNeed()
        {
            var given = Whole(LogProbabilitySource.OfDecoded);
            Decode(given, 0);
            var tight = new BatchAnswers
            {
                Source = LogProbabilitySource.OfDecoded,
                Top = Top,
                TopIds = new int[Rows * Top],
                Kept = Kept,
                KeptIds = new int[Rows * Kept],
                KeptMask = new uint[Rows * Words],
            };
            Decode(tight, 0);
            foreach (var r in Enumerable.Range(0, Rows).Where(r => r != Spoilt))
            {
                Check.SameSequence(Part(given.TopIds, r, Top + Gap, Top), Part(tight.TopIds, r, Top, Top));
                Check.SameSequence(Part(given.KeptIds, r, Kept + Gap, Kept), Part(tight.KeptIds, r, Kept, Kept));
                Check.SameSequence(Part(given.KeptMask, r, Words + Gap, Words), Part(tight.KeptMask, r, Words, Words));
            }
        }

        [Test]
        public static void AnswersOfHalfPrecisionRows()
        {
            // 1, 3 and 2 in half precision.
            ushort[] half = { 0x3C00, 0x4200, 0x4000 };
            var answers = new BatchAnswers { Ranks = new uint[1], Top = 3, TopIds = new int[3] };
            using (var sampler = new Sampler("greedy", 0))
            {
                var options = new BatchOptions { Answers = answers };
                Sampler.DecodeBatch(new[] { sampler }, half, LogitFormat.F16, 3, new DecodeResult[1], options);
                Check.Equal(1u, answers.Ranks[0]);
                Check.SameSequence(new[] { 1, 2, 0 }, answers.TopIds);
            }
        }

        [Test]
        public static void KeptTokensOfAllRowsAreOneList()
        {
            foreach (var kept in new[] { Kept, 2 })
            {
                var apart = new BatchAnswers { Kept = kept, KeptIds = new int[Rows * kept] };
                var list = new BatchAnswers
                {
                    Kept = kept, KeptIds = new int[Rows * kept], KeptStride = 1000, KeptOffsets = Sevens(Rows + 2, -7),
                };
                Decode(apart, 0);
                Decode(list, 2);
                var end = 0;
                for (var r = 0; r < Rows; r++)
                {
                    Check.Equal(end, list.KeptOffsets[r], "row " + r);
                    var own = Part(apart.KeptIds, r, kept, kept).Where(id => r != Spoilt && id >= 0).ToArray();
                    Check.SameSequence(own, list.KeptIds.Skip(end).Take(own.Length), "row " + r);
                    end += own.Length;
                }
                Check.SameSequence(new[] { end, -7 }, list.KeptOffsets.Skip(Rows), "the end, and nothing behind it");
            }
            Refused<ArgumentException>(a => a.KeptOffsets = new int[Rows]);
            Refused<ArgumentException>(a => a.KeptOffsets = new int[Rows + 1], a => a.KeptIds = new int[Rows * Kept - 1]);
            Refused<ArgumentException>(a => a.KeptOffsets = a.KeptIds);
            var offsets = Sevens(Rows + 1, -7);
            Check.Equal(
                Status.InvalidArgument,
                Refused<BregmanException>(a => a.KeptIds = null, a => a.KeptOffsets = offsets).Status);
            Check.That(offsets.All(offset => offset == -7), "nothing is written");
        }

        [Test]
        public static void SeveralSamplersReadOneRow()
        {
            var index = new[] { 3, 0, 3, 3, 1 };
            var logits = Enumerable.Range(0, 4).SelectMany(r => Inputs.Row(Vocab, (ulong)r + 50)).ToArray();
            var mask = Enumerable.Range(0, 4 * Words).Select(i => ~(0x01010101u << (i % 8))).ToArray();
            Func<float[], uint[], int[], int, DecodeResult[]> decode = (rows, words, indices, threads) =>
            {
                var samplers = Enumerable.Range(0, Rows).Select(r => new Sampler(Inputs.Chain, (ulong)r)).ToArray();
                var results = new DecodeResult[Rows];
                var options = new BatchOptions { Mask = words, RowIndex = indices, Threads = threads };
                Sampler.DecodeBatch(samplers, rows, Vocab, results, options);
                Array.ForEach(samplers, sampler => sampler.Dispose());
                return results;
            };
            var copied = index.SelectMany(r => Part(logits, r, Vocab, Vocab)).ToArray();
            var expected = decode(copied, index.SelectMany(r => Part(mask, r, Words, Words)).ToArray(), null, 0);
            foreach (var threads in new[] { 0, 3 })
            {
                var found = decode(logits, mask, index, threads);
                Check.SameSequence(expected.Select(r => r.Token), found.Select(r => r.Token), "tokens");
            }
            // One row is enough for all of them, and what the largest index needs is checked.
            Check.That(decode(logits.Take(Vocab).ToArray(), null, new int[Rows], 0).All(r => r.Token >= 0), "one row");
            Check.Throws<ArgumentException>(() => decode(logits, mask, new[] { 0, 1, 2, 3, 4 }, 0));
            Check.Throws<ArgumentException>(() => decode(logits, null, new[] { 0, 1, 2, 3, int.MaxValue }, 0));
            Check.Throws<ArgumentException>(() => decode(logits, mask.Skip(1).ToArray(), index, 0));
            Check.Throws<ArgumentException>(() => decode(logits, mask, new int[Rows - 1], 0));
            Check.Throws<ArgumentOutOfRangeException>(() => decode(logits, mask, new[] { 0, 1, -1, 3, 0 }, 0));
            Check.Throws<ArgumentException>(
                () => Sampler.Reduce(logits, 4, Vocab, 0, 5, new BatchOptions { RowIndex = new int[4] }));
        }

        [Test]
        public static void InvalidArraysThrowBeforeAnyRowIsDecoded()
        {
            Refused<ArgumentException>(a => a.LogProbabilities = new float[Rows - 1]);
            Refused<ArgumentException>(a => a.Ranks = new uint[0]);
            Refused<ArgumentException>(a => a.TopIds = new int[(Rows - 1) * (Top + Gap) + Top - 1]);
            Refused<ArgumentException>(a => a.TopLogProbabilities = new float[1]);
            Refused<ArgumentException>(a => a.KeptIds = new int[1]);
            Refused<ArgumentException>(a => a.KeptMask = new uint[1]);
            Refused<ArgumentException>(a => a.TopStride = int.MaxValue);
            Refused<ArgumentException>(a => a.Top = Top + 4, a => a.TopStride = Top + 4);
            Refused<ArgumentOutOfRangeException>(a => a.Top = int.MaxValue);
            Refused<ArgumentOutOfRangeException>(a => a.Top = -1);
            Refused<ArgumentOutOfRangeException>(a => a.Kept = -1);
            Refused<ArgumentOutOfRangeException>(a => a.TopStride = Top - 1);
            Refused<ArgumentOutOfRangeException>(a => a.KeptStride = -1);
            Refused<ArgumentOutOfRangeException>(a => a.KeptMaskStride = 0);
            // One array for two answers.
            Refused<ArgumentException>(a => a.KeptIds = a.TopIds);
            Refused<ArgumentException>(a => a.LogProbabilities = a.TopLogProbabilities);
            Refused<ArgumentException>(a => a.Ranks = a.KeptMask);
            Check.Equal(
                Status.InvalidArgument,
                Refused<BregmanException>(a => a.Source = (LogProbabilitySource)2).Status);
        }

        [Test]
        public static void AnswersMustNotOverlapOtherArguments()
        {
            var logits = Inputs.Row(Vocab, 1);
            var mask = Enumerable.Repeat(uint.MaxValue, Words).ToArray();
            using (var sampler = new Sampler("draw", 0))
            {
                Action<BatchAnswers> with = answers => Sampler.DecodeBatch(
                    new[] { sampler },
                    logits,
                    Vocab,
                    new DecodeResult[1],
                    new BatchOptions { Mask = mask, Answers = answers });
                Check.Throws<ArgumentException>(() => with(new BatchAnswers { LogProbabilities = logits }));
                Check.Throws<ArgumentException>(() => with(new BatchAnswers { KeptMask = mask }));
                Check.SameSequence(Inputs.Row(Vocab, 1), logits);
                Check.SameSequence(Inputs.Alone("draw", 0, logits, 3), Inputs.Draw(sampler, logits, 3), "it was let go");
            }
        }

        private static void CheckRow(int r, DecodeResult result, BatchAnswers answers)
        {
            var topIds = Part(answers.TopIds, r, Top + Gap, Top);
            var top = Part(answers.TopLogProbabilities, r, Top + Gap, Top);
            var kept = Part(answers.KeptIds, r, Kept + Gap, Kept);
            var mask = Part(answers.KeptMask, r, Words + Gap, Words);
            if (r == Spoilt)
            {
                Check.Equal(Status.InvalidLogits, result.Status);
                Check.That(answers.Ranks[r] == 7 && answers.LogProbabilities[r] == 7, "a failed row's are as they were");
                Check.That(topIds.Concat(kept).All(id => id == 7) && top.All(x => x == 7), "the arrays too");
                Check.That(mask.All(word => word == 7), "and the mask");
                return;
            }
            using (var sampler = new Sampler(Inputs.Chain, (ulong)r))
            {
                var logits = Row(r);
                var all = sampler.TopLogProbabilities(logits, Vocab, answers.Source);
                Check.SameSequence(all.Take(Top).Select(t => t.Token), topIds.Take(all.Length), "row " + r);
                Check.SameSequence(all.Take(Top).Select(t => t.LogProbability), top.Take(all.Length), "row " + r);
                Check.That(topIds.Skip(all.Length).All(id => id == -1), "no more than there are");
                var own = all.Single(t => t.Token == result.Token).LogProbability;
                Check.Equal(own, answers.LogProbabilities[r], "the token's own");
                Check.Equal((uint)all.Count(t => t.LogProbability >= own), answers.Ranks[r], "its rank");
                var decoded = sampler.Distribution(logits).Select(e => e.Token).ToArray();
                Check.Equal(decoded.Length, (int)result.Support);
                Check.SameSequence(decoded.Concat(Enumerable.Repeat(-1, Kept)).Take(Kept), kept, "kept");
                Check.SameSequence(
                    decoded.OrderBy(id => id),
                    Enumerable.Range(0, 32 * Words).Where(t => (mask[t / 32] >> (t % 32) & 1) != 0),
                    "the mask");
            }
            if (r + 1 < Rows)
            {
                Check.That(answers.TopIds[r * (Top + Gap) + Top] == 7, "nothing is written between the rows");
            }
        }

        private static T Refused<T>(params Action<BatchAnswers>[] spoil)
            where T : Exception
        {
            var answers = Whole(LogProbabilitySource.OfModel);
            Array.ForEach(spoil, change => change(answers));
            return Check.Throws<T>(() => Decode(answers, 0, true));
        }

        private static DecodeResult[] Decode(BatchAnswers answers, int threads, bool throwing = false)
        {
            var samplers = Enumerable.Range(0, Rows).Select(r => new Sampler(Inputs.Chain, (ulong)r)).ToArray();
            var logits = Enumerable.Range(0, Rows).SelectMany(Row).ToArray();
            var results = new DecodeResult[Rows];
            var options = new BatchOptions { Threads = threads, Answers = answers };
            if (throwing)
            {
                Sampler.DecodeBatch(samplers, logits, Vocab, results, options);
            }
            else
            {
                Sampler.TryDecodeBatch(samplers, logits, Vocab, results, options);
            }
            Array.ForEach(samplers, sampler => sampler.Dispose());
            return results;
        }

        private static float[] Row(int r)
        {
            var row = Inputs.Row(Vocab, (ulong)r);
            row[8] = r == Spoilt ? float.NaN : row[8];
            return row;
        }

        /// <summary>All answers, with gaps; elements that were not written are 7.</summary>
        private static BatchAnswers Whole(LogProbabilitySource source)
        {
            return new BatchAnswers
            {
                Source = source,
                LogProbabilities = Sevens(Rows, 7f),
                Ranks = Sevens(Rows, 7u),
                Top = Top,
                TopStride = Top + Gap,
                TopIds = Sevens(Rows * (Top + Gap), 7),
                TopLogProbabilities = Sevens(Rows * (Top + Gap), 7f),
                Kept = Kept,
                KeptStride = Kept + Gap,
                KeptIds = Sevens(Rows * (Kept + Gap), 7),
                KeptMask = Sevens(Rows * (Words + Gap), 7u),
                KeptMaskStride = Words + Gap,
            };
        }

        private static T[] Sevens<T>(int count, T seven)
        {
            return Enumerable.Repeat(seven, count).ToArray();
        }

        private static T[] Part<T>(T[] array, int row, int stride, int count)
        {
            return array.Skip(row * stride).Take(count).ToArray();
        }
    }
}
