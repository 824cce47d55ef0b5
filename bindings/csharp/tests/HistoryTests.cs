using System;
using System.Linq;

namespace Bregman.Tests
{
    /// <summary>Stages that look at the history.</summary>
    internal static unsafe class HistoryTests
    {
        private static readonly float[] Flat = new float[5];

        [Test]
        public static void PenaltiesEqualTheirDefinition()
        {
            float[] logits = { 2, -1, 0.5f, 3, 1 };
            using (var sampler = new Sampler("penalties(repeat=2, frequency=0.25, presence=0.5, scope=all)", 0))
            {
                Check.SameSequence(Softmax(2, -1, 0.5, 3, 1), Distribution(sampler, logits), "without a history");
                sampler.Accept(new[] { 3, 0, 3 });
                sampler.Accept(1);
                // Divided if positive, otherwise multiplied; then minus 0.25 per occurrence and 0.5 for any.
                Check.SameSequence(
                    Softmax(2 / 2.0 - 0.75, -1 * 2 - 0.75, 0.5, 3 / 2.0 - 1, 1), Distribution(sampler, logits), "four tokens");
                sampler.Reset();
                Check.SameSequence(Softmax(2, -1, 0.5, 3, 1), Distribution(sampler, logits), "a reset forgets them");
            }
        }

        [Test]
        public static void NoRepeatNgramBansRepeatedPairs()
        {
            float[] logits = { 0, 1, 5, 4, 3 };
            using (var sampler = new Sampler("no_repeat_ngram(2) | greedy", 0))
            {
                sampler.Accept(new[] { 1, 2, 1 });
                Check.Equal(3, sampler.Decode(logits).Token, "1 2 was there");
                using (var clone = sampler.Clone())
                {
                    clone.Accept(new[] { 3, 1 });
                    Check.Equal(4, clone.Decode(logits).Token, "and so was 1 3");
                }
                Check.Equal(3, sampler.Decode(logits, DecodeFlags.Accept).Token, "the clone's history is its own");
                Check.Equal(2, sampler.Decode(logits).Token, "after 3 there was nothing yet");
            }
        }

        [Test]
        public static void BatchAppendsAcceptedTokensToTheHistory()
        {
            using (var sampler = new Sampler("no_repeat_ngram(n=1, scope=output) | draw", 4))
            {
                var tokens = Enumerable.Range(0, 5).Select(_ => sampler.Decode(Flat, DecodeFlags.Accept).Token);
                Check.SameSequence(Enumerable.Range(0, 5), tokens.OrderBy(token => token), "each token once");
                Check.Refused(Status.EmptySupport, () => sampler.Decode(Flat));
            }
        }

        [Test]
        public static void PromptEndsAtTheFirstRow()
        {
            using (var sampler = new Sampler("no_repeat_ngram(n=1, scope=output) | draw", 1))
            {
                sampler.Accept(new[] { 0, 1 });
                sampler.DrawMany(Flat, 2);
                Check.Equal(5, sampler.Distribution(Flat).Length, "the prompt does not count");
                sampler.Accept(2);
                Kept(sampler, 0, 1, 3, 4);
                sampler.SetPromptLength(1);
                Kept(sampler, 0, 3, 4);
                Check.Refused(Status.InvalidArgument, () => sampler.SetPromptLength(4));
                Check.Refused(Status.InvalidArgument, () => sampler.SetPromptLength(-1));
                Check.Refused(Status.InvalidArgument, () => sampler.SetPromptLength(int.MinValue));
                Kept(sampler, 0, 3, 4);
                sampler.SetPromptLength(0);
                Kept(sampler, 3, 4);
                sampler.SetPromptLength(3);
                Kept(sampler, 0, 1, 2, 3, 4);
            }
        }

        [Test]
        public static void MaskHoldsInEveryCallUntilItIsRemoved()
        {
            float[] logits = Inputs.Row(70, 5);
            using (var sampler = new Sampler("draw", 3))
            {
                sampler.SetMask(new[] { 1u << 4 | 1u << 9, 0u, 1u << 2 });
                Kept(sampler, logits, 4, 9, 66);
                Check.SameSequence(
                    new[] { 4, 9, 66 }, sampler.DrawMany(logits, 70).Select(drawn => drawn.Token).OrderBy(id => id));
                Check.Equal(9, sampler.Decode(logits, DecodeFlags.None, new[] { 1u << 9 | 1u << 10 }).Token, "both masks");
                Check.Refused(Status.EmptySupport, () => sampler.Decode(logits, DecodeFlags.None, new[] { 1u }));
                var candidates = new[] { new Candidate(5, 9), new Candidate(66, 1), new Candidate(3, 8) };
                var applied = sampler.Apply(candidates);
                Check.Equal(66, candidates[applied.Selected].Id, "of candidates too");
                using (var clone = sampler.Clone())
                {
                    clone.SetMask(new[] { 2u });
                    Kept(clone, logits, 1);
                    Kept(sampler, logits, 4, 9, 66);
                    clone.Reset();
                    Kept(clone, logits, 1); // a reset keeps it
                }
                sampler.SetMask(null);
                Check.Equal(70, sampler.Distribution(logits).Length, "lifted");
            }
        }

        [Test]
        public static void InvalidMasksLeaveTheOldOne()
        {
            uint* words = stackalloc uint[2];
            words[0] = words[1] = uint.MaxValue;
            var pointer = (IntPtr)words;
            using (var sampler = new Sampler("draw", 3))
            {
                sampler.SetMask(new[] { 1u << 3 });
                Check.Throws<ArgumentException>(() => sampler.SetMask(new uint[0]));
                Check.Refused(Status.InvalidArgument, () => sampler.SetMask((uint*)pointer, 0));
                Check.Refused(Status.InvalidArgument, () => sampler.SetMask((uint*)pointer, -1));
                Check.Refused(Status.InvalidArgument, () => sampler.SetMask((uint*)((byte*)pointer + 1), 1));
                Check.Refused(Status.InvalidArgument, () => sampler.SetMask((uint*)null, 2));
                Kept(sampler, 3);
                sampler.SetMask(words, 1);
                Kept(sampler, 0, 1, 2, 3, 4);
                sampler.SetMask(new[] { 1u << 3 });
                sampler.SetMask((uint*)null, 0);
                Kept(sampler, 0, 1, 2, 3, 4);
            }
        }

        private static void Kept(Sampler sampler, params int[] tokens)
        {
            Kept(sampler, Flat, tokens);
        }

        private static void Kept(Sampler sampler, float[] logits, params int[] tokens)
        {
            Check.SameSequence(tokens, sampler.Distribution(logits).Select(entry => entry.Token).OrderBy(id => id));
        }

        /// <summary>Probabilities by token, in millionths.</summary>
        private static int[] Distribution(Sampler sampler, float[] logits)
        {
            return sampler.Distribution(logits).OrderBy(e => e.Token).Select(e => Millionths(e.Probability)).ToArray();
        }

        private static int[] Softmax(params double[] logits)
        {
            var total = logits.Sum(x => Math.Exp(x));
            return Array.ConvertAll(logits, x => Millionths(Math.Exp(x) / total));
        }

        private static int Millionths(double p)
        {
            return (int)Math.Round(p * 1e6);
        }
    }
}
