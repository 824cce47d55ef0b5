using System;
using System.Collections.Generic;

namespace Bregman.Tests
{
    /// <summary>Detectors of watermarks, and keys that are shown nowhere.</summary>
    internal static class WatermarkTests
    {
        private const string Key = "0x9d3c55aa10f2e671";

        [Test]
        public static void ScoreFindsTheMark()
        {
            var random = new Random(3);
            var texts = new[] { new List<int>(), new List<int>() };
            using (var marked = new Sampler("top_k(50) | watermark(" + Key + ")", 1))
            using (var plain = new Sampler("top_k(50) | draw", 1))
            {
                Check.Equal("top_k(50) | watermark(hidden)", marked.Describe());
                var samplers = new[] { marked, plain };
                var row = new float[500];
                for (var n = 0; n < 300; n++)
                {
                    for (var i = 0; i < row.Length; i++)
                    {
                        row[i] = (float)(8 * random.NextDouble());
                    }
                    for (var s = 0; s < samplers.Length; s++)
                    {
                        var token = samplers[s].Decode(row).Token;
                        samplers[s].Accept(token);
                        texts[s].Add(token);
                    }
                }
            }
            var stage = "watermark(" + Key + ")";
            var found = Watermark.Score(stage, texts[0].ToArray());
            Check.That(found.PValue < 1e-9 && found.Counted >= 250, "the mark is found: " + found.PValue);
            Check.That(Watermark.Score(stage, texts[1].ToArray()).PValue > 1e-3, "no mark is found");
            Check.Equal(1.0, Watermark.Score(stage, new int[0]).PValue);
        }

        [Test]
        public static void ScoreRefusesWrongArgumentsAndHidesTheKey()
        {
            foreach (var stage in new[] { "draw", "watermark(" + Key + "x)", "watermark(" + Key + ") | draw" })
            {
                try
                {
                    Watermark.Score(stage, new[] { 1 });
                    throw new CheckFailed(stage + " was accepted");
                }
                catch (BregmanException e)
                {
                    Check.Equal(Status.InvalidChain, e.Status);
                    Check.That(!e.Message.Contains("9d3c"), e.Message);
                }
            }
            Check.Refused(Status.InvalidArgument, () => Watermark.Score("watermark(1)", new[] { 1, -1 }));
            Check.Throws<ArgumentNullException>(() => Watermark.Score(null, new int[0]));
            Check.Throws<ArgumentNullException>(() => Watermark.Score("watermark(1)", null));
        }
    }
}
