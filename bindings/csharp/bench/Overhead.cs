using System;
using System.Diagnostics;

namespace Bregman.Bench
{
    /// <summary>
    /// The cost of calls on this runtime in nanoseconds, the best of many short rounds, with rows of 8 logits. overhead.c makes
    /// the same call from C.
    /// </summary>
    internal static class Overhead
    {
        private const int Rounds = 200;
        private const int Calls = 10000;

        private static readonly float[] Logits = { 1, 5, 2, 8, 3, 7, 4, 6 };

        private static void Main()
        {
            using (var sampler = new Sampler("greedy", 0))
            {
                var samplers = new[] { sampler };
                var results = new DecodeResult[1];
                Time("Sampler.Decode(float[])", () => sampler.Decode(Logits).Token);
                Time("Sampler.TryDecode(float[])", () => sampler.TryDecode(Logits, out var result) ? result.Token : -1);
#if NETCOREAPP3_0_OR_GREATER
                Time("Sampler.Decode(ReadOnlySpan<float>)", () => sampler.Decode(Logits.AsSpan()).Token);
#endif
                Time("Sampler.DecodeBatch, one row", () =>
                {
                    Sampler.DecodeBatch(samplers, Logits, Logits.Length, results);
                    return results[0].Token;
                });
            }
        }

        private static void Time(string what, Func<int> call)
        {
            var best = double.MaxValue;
            for (var round = 0; round < Rounds; round++)
            {
                var watch = Stopwatch.StartNew();
                for (var i = 0; i < Calls; i++)
                {
                    if (call() != 3)
                    {
                        throw new InvalidOperationException(what + " did not take token 3");
                    }
                }
                best = Math.Min(best, watch.Elapsed.TotalMilliseconds * 1e6 / Calls);
            }
            Console.WriteLine("{0,-36} {1,6:F0} ns", what, best);
        }
    }
}
