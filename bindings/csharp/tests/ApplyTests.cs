using System;
using System.Linq;

namespace Bregman.Tests
{
    internal static unsafe class ApplyTests
    {
        [Test]
        public static void TruncationMovesKeptCandidatesToTheFront()
        {
            var candidates = Candidates(Inputs.Logs(0.05, 0.5, 0.1, 0.2, 0.15));
            using (var sampler = new Sampler("top_k(3)", 0))
            {
                var applied = sampler.Apply(candidates);
                Check.Equal(3, applied.Count);
                Check.Equal(-1, applied.Selected);
                Check.That(applied.Sorted, "in descending order");
                Check.SameSequence(new[] { 1, 3, 4 }, candidates.Take(3).Select(c => c.Id));
                Check.Near(0.5 / 0.85, candidates[0].Probability, 1e-6);
                Check.Near(Math.Log(0.5), candidates[0].Logit, 1e-6, "logits stay the engine's");
            }
        }

        [Test]
        public static void DrawingStageSelectsACandidate()
        {
            using (var sampler = new Sampler("top_k(3) | greedy", 0))
            {
                var candidates = Candidates(Inputs.Logs(0.05, 0.5, 0.1, 0.2, 0.15));
                var applied = sampler.Apply(candidates, 4);
                Check.Equal(1, candidates[applied.Selected].Id);
                Check.Equal(4, candidates[4].Id, "beyond the count nothing is touched");
            }
        }

        [Test]
        public static void OrderOfCandidatesDoesNotChangeTheDecoder()
        {
            var logits = Inputs.Row(300, 5);
            var forward = Candidates(logits);
            var backward = Candidates(logits);
            Array.Reverse(backward);
            using (var sampler = new Sampler("bregman(alpha=2, floor=0.01)", 0))
            {
                var count = sampler.Apply(forward).Count;
                Check.Equal(count, sampler.Apply(backward).Count);
                Check.SameSequence(forward.Take(count), backward.Take(count));
                var expected = sampler.Distribution(logits);
                Check.SameSequence(expected.Select(e => e.Token), forward.Take(count).Select(c => c.Id));
            }
        }

        [Test]
        public static void ApplyUpdatesANativeArray()
        {
            var candidates = Candidates(Inputs.Row(64, 6));
            using (var sampler = new Sampler("top_k(7) | draw", 3))
            {
                fixed (Candidate* data = candidates)
                {
                    var array = new CandidateArray { Data = data, Size = (UIntPtr)64, Selected = -1, Sorted = 0 };
                    sampler.Apply(&array);
                    Check.Equal(7ul, (ulong)array.Size);
                    Check.That(array.Selected >= 0 && array.Selected < 7, "the selection is a position");
                    Check.Equal((byte)1, array.Sorted);
                }
            }
        }

        [Test]
        public static void FailureLeavesTheCandidatesUnchanged()
        {
            using (var sampler = new Sampler("top_k(2)", 0))
            {
                var candidates = Candidates(new[] { 1f, float.NaN, 3f });
                var before = (Candidate[])candidates.Clone();
                Check.Refused(Status.InvalidLogits, () => sampler.Apply(candidates));
                Check.SameSequence(before, candidates);
                Check.Refused(Status.EmptySupport, () => sampler.Apply(new Candidate[0]));
                Check.Throws<ArgumentOutOfRangeException>(() => sampler.Apply(candidates, 4));
                Check.Throws<ArgumentOutOfRangeException>(() => sampler.Apply(candidates, -1));
                Check.Refused(Status.InvalidArgument, () => sampler.Apply((CandidateArray*)null));
            }
        }

        private static Candidate[] Candidates(float[] logits)
        {
            return logits.Select((logit, id) => new Candidate(id, logit)).ToArray();
        }
    }
}
