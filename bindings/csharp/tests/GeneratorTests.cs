using System;
using System.Linq;
using System.Runtime.CompilerServices;

namespace Bregman.Tests
{
    internal static class GeneratorTests
    {
        /// <summary>φ = x² / 2, the divergence of alpha = 2.</summary>
        internal static Generator Square(string name = "square")
        {
            return new Generator(name, x => x * x / 2, x => x, y => y, x => 1);
        }

        [Test]
        public static void SquareEqualsAlphaTwo()
        {
            var logits = Inputs.Row(300, 4);
            foreach (var mode in new[] { "primal", "dual" })
            {
                var sizing = ", mode=" + mode + ", lambda=0.001) | draw";
                using (var ours = new Sampler("bregman(generator=square" + sizing, 6, Square()))
                using (var builtIn = new Sampler("bregman(alpha=2" + sizing, 6))
                {
                    var expected = builtIn.Distribution(logits);
                    var distribution = ours.Distribution(logits);
                    Check.That(expected.Length > 1, "the row leaves a choice");
                    Check.SameSequence(expected.Select(e => e.Token), distribution.Select(e => e.Token), mode);
                    for (var i = 0; i < expected.Length; i++)
                    {
                        Check.Near(expected[i].Probability, distribution[i].Probability, 1e-6, mode);
                    }
                    Check.SameSequence(Inputs.Draw(builtIn, logits, 20), Inputs.Draw(ours, logits, 20), mode);
                }
            }
        }

        [Test]
        public static void BatchCallsGeneratorsFromSeveralThreads()
        {
            var logits = Enumerable.Range(0, 16).SelectMany(r => Inputs.Row(500, (ulong)r)).ToArray();
            var samplers = Enumerable.Range(0, 16)
                .Select(r => new Sampler("bregman(generator=square, lambda=0.001) | draw", (ulong)r, Square())).ToArray();
            var together = new DecodeResult[16];
            Sampler.DecodeBatch(samplers, logits, 500, together, new BatchOptions { Threads = 2 });
            for (var r = 0; r < 16; r++)
            {
                samplers[r].Reset();
                Check.Equal(samplers[r].Decode(logits.Skip(r * 500).Take(500).ToArray()).Token, together[r].Token);
                samplers[r].Dispose();
            }
        }

        /// <summary>The functions live as long as a clone, although only the native library refers to them.</summary>
        [Test]
        public static void FunctionsOfAGeneratorAreNotCollected()
        {
            var logits = Inputs.Row(300, 4);
            using (var sampler = CloneOfAForgottenOne())
            {
                for (var i = 0; i < 20; i++)
                {
                    GC.Collect();
                    GC.WaitForPendingFinalizers();
                    sampler.Decode(logits);
                }
            }
        }

        [Test]
        public static void InvalidGeneratorsAreRefused()
        {
            const string Chain = "bregman(generator=g, lambda=0.01)";
            Check.Refused(Status.InvalidChain, () => new Sampler(Chain, 0));
            Check.Refused(Status.InvalidChain, () => new Sampler(Chain, 0, Square("other")));
            Check.Refused(
                Status.InvalidChain, () => new Sampler(Chain, 0, new Generator("g", x => -x * x, x => -2 * x, y => -y / 2)));
            Check.Refused(
                Status.InvalidChain,
                () => new Sampler(Chain, 0, new Generator("g", x => throw new InvalidOperationException(), x => x, y => y)));
            Check.Throws<ArgumentException>(() => new Sampler(Chain, 0, Square("g"), null));
            Check.Throws<ArgumentException>(() => new Sampler(Chain, 0, Square("g\0")));
            Check.Throws<ArgumentNullException>(() => new Generator(null, x => x, x => x, x => x));
            Check.Throws<ArgumentNullException>(() => new Generator("g", x => x, null, x => x));
        }

        [Test]
        public static void ExceptionInAGeneratorIsNoConvergence()
        {
            var broken = false;
            Func<double, double> inverse = y => broken ? throw new InvalidOperationException() : y / 2;
            var logits = Inputs.Row(50, 1);
            using (var sampler = new Sampler(
                "bregman(generator=g, lambda=0.001) | draw", 0, new Generator("g", x => x * x, x => 2 * x, inverse)))
            {
                sampler.Decode(logits);
                broken = true;
                Check.Refused(Status.NoConvergence, () => sampler.Decode(logits));
                broken = false;
                sampler.Decode(logits);
            }
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static Sampler CloneOfAForgottenOne()
        {
            using (var original = new Sampler("bregman(generator=square, lambda=0.001) | draw", 6, Square()))
            {
                return original.Clone();
            }
        }
    }
}
