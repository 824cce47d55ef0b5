using System;
using System.Linq;
using System.Runtime.InteropServices;
using Bregman.LLamaSharp;
using LLama.Native;
using LLama.Sampling;

namespace Bregman.Tests
{
    /// <summary>The LLamaSharp adapters, with the declarations in Mirror.cs.</summary>
    internal static unsafe class AdapterTests
    {
        private static readonly float[] Logits = Inputs.Row(500, 31);

        [Test]
        public static void MirrorHasLlamaCppsLayout()
        {
            Check.Equal(12, Marshal.SizeOf(typeof(LLamaTokenData)));
            Check.Equal(32, Marshal.SizeOf(typeof(LLamaTokenDataArrayNative)));
            var offsets = new[] { "data", "size", "selected", "sorted" }
                .Select(name => (int)Marshal.OffsetOf(typeof(LLamaTokenDataArrayNative), name));
            Check.SameSequence(new[] { 0, 8, 16, 24 }, offsets);
        }

        [Test]
        public static void TransformingStageKeepsCandidates()
        {
            var candidates = Candidates(Logits);
            using (var stage = new BregmanStage("bregman(alpha=2, k=6)", 0))
            using (var sampler = new Sampler("bregman(alpha=2, k=6)", 0))
            using (LLamaTokenDataArrayNative.Create(candidates, out var native))
            {
                stage.Apply(ref native);
                Check.That(stage.Error == null, "no error");
                Check.Equal("bregman", stage.Name);
                Check.Equal(6ul, native.Size);
                Check.Equal(-1L, native.Selected);
                Check.That(native.Sorted, "in descending order");
                var expected = sampler.Distribution(Logits);
                for (var i = 0; i < 6; i++)
                {
                    Check.Equal(expected[i].Token, (int)candidates.Data.Span[i].ID);
                    Check.Near(expected[i].Probability, candidates.Data.Span[i].Probability, 1e-6);
                }
            }
        }

        [Test]
        public static void DrawingStageAndItsCloneSelectTheSameTokens()
        {
            var expected = Inputs.Alone(Inputs.Chain, 4, Logits, 12);
            using (ICustomSampler stage = new BregmanStage(Inputs.Chain, 4))
            {
                Check.SameSequence(expected.Take(5), Enumerable.Range(0, 5).Select(_ => Selected(stage)));
                using (var clone = stage.Clone())
                {
                    Check.SameSequence(expected.Skip(5), Enumerable.Range(0, 7).Select(_ => Selected(clone)), "the clone");
                }
                Check.Equal(expected[5], Selected(stage), "the original is where it was");
                stage.Accept(expected[5]);
                stage.Reset();
                Check.Equal(expected[0], Selected(stage), "as created");
            }
        }

        /// <summary>An exception that crossed llama.cpp's frames would end the process.</summary>
        [Test]
        public static void StageThrowsNothingIntoNativeCode()
        {
            var spoilt = (float[])Logits.Clone();
            spoilt[7] = float.NaN;
            var candidates = Candidates(spoilt);
            var stage = new BregmanStage("top_k(3)", 0);
            using (LLamaTokenDataArrayNative.Create(candidates, out var native))
            {
                stage.Apply(ref native);
                Check.Equal(Status.InvalidLogits, ((BregmanException)stage.Error).Status);
                Check.Equal(500ul, native.Size, "the candidates are as they were");
                stage.Accept(-5);
                Check.Equal(Status.InvalidArgument, ((BregmanException)stage.Error).Status);
                stage.Dispose();
                stage.Apply(ref native);
                Check.That(stage.Error is ObjectDisposedException, "a disposed stage says so");
                stage.Accept(1);
                stage.Reset();
            }
        }

        [Test]
        public static void PipelineSamplesFromTheContextsLogits()
        {
            var context = new SafeLLamaContextHandle(new float[500], Logits);
            var expected = Inputs.Alone(Inputs.Chain, 9, Logits, 30);
            using (ISamplingPipeline pipeline = new BregmanPipeline(Inputs.Chain, 9))
            {
                var tokens = Enumerable.Range(0, 30).Select(_ => (int)pipeline.Sample(context, 1)).ToArray();
                Check.SameSequence(expected, tokens);
                pipeline.Accept(3);
                pipeline.Reset();
                Check.Equal(expected[0], (int)pipeline.Sample(context, 1), "as created");
                Check.Throws<ArgumentNullException>(() => pipeline.Sample(null, 0));
            }
        }

        [Test]
        public static void PipelineThrowsOnFailure()
        {
            using (ISamplingPipeline pipeline = new BregmanPipeline("draw", 0))
            {
                var context = new SafeLLamaContextHandle(new[] { 1f, float.NaN });
                Check.Refused(Status.InvalidLogits, () => pipeline.Sample(context, 0));
            }
            Check.Refused(Status.InvalidChain, () => new BregmanPipeline("drw", 0));
            Check.Throws<ArgumentNullException>(() => new BregmanPipeline(null));
            Check.Throws<ArgumentNullException>(() => new BregmanStage(null));
        }

        [Test]
        public static void PipelineAppliesToAManagedArray()
        {
            var candidates = Candidates(Logits);
            using (ISamplingPipeline pipeline = new BregmanPipeline("top_k(4)", 0))
            {
                pipeline.Apply(new SafeLLamaContextHandle(), candidates);
                var kept = candidates.Data.ToArray().Where(c => !float.IsNegativeInfinity(c.Logit)).ToArray();
                var best = Enumerable.Range(0, 500).OrderByDescending(i => Logits[i]).Take(4);
                Check.SameSequence(best, kept.Select(c => (int)c.ID));
                Check.Near(1, candidates.Data.ToArray().Sum(c => c.Probability), 1e-6, "the others have no probability");
            }
        }

        private static int Selected(ICustomSampler stage)
        {
            var candidates = Candidates(Logits);
            using (LLamaTokenDataArrayNative.Create(candidates, out var native))
            {
                stage.Apply(ref native);
                return (int)candidates.Data.Span[(int)native.Selected].ID;
            }
        }

        private static LLamaTokenDataArray Candidates(float[] logits)
        {
            var data = logits.Select((logit, id) => new LLamaTokenData { ID = id, Logit = logit }).ToArray();
            return new LLamaTokenDataArray(data);
        }
    }
}
