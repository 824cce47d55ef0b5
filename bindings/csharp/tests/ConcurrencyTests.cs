using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Bregman.Tests
{
    internal static class ConcurrencyTests
    {
        private const int Sequences = 64;
        private const int Length = 100;

        private static readonly float[] Logits = Inputs.Row(2000, 77);

        /// <summary>Each sequence continues on the thread on which its task is resumed.</summary>
        [Test]
        public static void TasksDecodeAsAlone()
        {
            var tasks = Enumerable.Range(0, Sequences).Select(seed => Task.Run(async () =>
            {
                var tokens = new List<int>();
                using (var sampler = new Sampler(Inputs.Chain, (ulong)seed))
                {
                    for (var i = 0; i < Length; i++)
                    {
                        tokens.Add(sampler.Decode(Logits).Token);
                        await Task.Yield();
                    }
                }
                return tokens;
            })).ToArray();
            Task.WaitAll(tasks);
            for (var seed = 0; seed < Sequences; seed++)
            {
                Check.SameSequence(Inputs.Alone(Inputs.Chain, (ulong)seed, Logits, Length), tasks[seed].Result);
            }
        }

        [Test]
        public static void ThreadsDecodeAsAlone()
        {
            var tokens = new int[8][];
            var threads = Enumerable.Range(0, tokens.Length)
                .Select(seed => new Thread(() => tokens[seed] = Inputs.Alone(Inputs.Chain, (ulong)seed, Logits, 500)))
                .ToArray();
            Array.ForEach(threads, thread => thread.Start());
            Array.ForEach(threads, thread => thread.Join());
            for (var seed = 0; seed < tokens.Length; seed++)
            {
                Check.SameSequence(Inputs.Alone(Inputs.Chain, (ulong)seed, Logits, 500), tokens[seed]);
            }
        }

        [Test]
        public static void BatchesOnManyThreadsDecodeAsAlone()
        {
            var rows = Enumerable.Range(0, 8).SelectMany(_ => Logits).ToArray();
            Parallel.For(0, 16, job =>
            {
                var samplers = Enumerable.Range(0, 8).Select(r => new Sampler(Inputs.Chain, (ulong)(job * 8 + r))).ToArray();
                var results = new DecodeResult[8];
                for (var step = 0; step < 10; step++)
                {
                    Sampler.DecodeBatch(samplers, rows, 2000, results, new BatchOptions { Threads = job % 3 });
                }
                for (var r = 0; r < 8; r++)
                {
                    Check.Equal(Inputs.Alone(Inputs.Chain, (ulong)(job * 8 + r), Logits, 10)[9], results[r].Token);
                    samplers[r].Dispose();
                }
            });
        }

        /// <summary>A generator blocks the first call while this thread makes others.</summary>
        [Test]
        public static void SamplerInUseRefusesOtherCalls()
        {
            using (var held = new Held())
            using (var free = new Sampler("draw", 0))
            {
                var sampler = held.Sampler;
                var first = held.Enter();
                var result = new DecodeResult[2];
                foreach (var call in new Action[]
                {
                    () => sampler.Decode(Held.Logits),
                    () => sampler.TryDecode(Held.Logits, out result[0]),
                    () => sampler.Decode(Held.Logits, DecodeFlags.Entropy),
                    () => sampler.Distribution(Held.Logits),
                    () => sampler.Accept(1),
                    () => sampler.SetMask(null),
                    () => sampler.SetPromptLength(0),
                    () => sampler.DrawMany(Held.Logits, 1),
                    () => sampler.TopLogProbabilities(Held.Logits, 1),
                    () => sampler.Reset(),
                    () => sampler.Describe(),
                    () => sampler.Clone(),
                    () => sampler.LastError.ToString(),
                })
                {
                    Check.Contains("in use", Check.Refused(Status.InvalidArgument, call).Message);
                }
                var rows = Held.Logits.Concat(Held.Logits).ToArray();
                var samplers = new[] { free, sampler };
                var e = Check.Refused(
                    Status.InvalidArgument, () => Sampler.DecodeBatch(samplers, rows, Held.Logits.Length, result));
                Check.Contains("row 1: the sampler is in use", e.Message);
                Check.Equal(Status.Ok, result[0].Status, "the other row is decoded");
                held.Release();
                Check.Equal(Status.Ok, first.Result.Status, "the first call ends well");
                sampler.Decode(Held.Logits);
            }
        }

        [Test]
        public static void DisposeDuringACallFreesAfterIt()
        {
            using (var held = new Held())
            {
                var first = held.Enter();
                held.Sampler.Dispose();
                Check.Throws<ObjectDisposedException>(() => held.Sampler.Decode(Held.Logits));
                held.Release();
                Check.Equal(Status.Ok, first.Result.Status, "the first call ends well");
            }
        }

        /// <summary>Threads that use one sampler get tokens of its sequence or an exception.</summary>
        [Test]
        public static void ConcurrentCallsSucceedOrAreRefused()
        {
            using (var sampler = new Sampler(Inputs.Chain, 1))
            {
                var spoilt = (float[])Logits.Clone();
                spoilt[3] = float.NaN;
                int decoded = 0, refused = 0;
                Parallel.For(0, 8, job =>
                {
                    for (var i = 0; i < 3000; i++)
                    {
                        try
                        {
                            // Failures, too: another call must not overwrite the message while it is read.
                            sampler.Decode(i % 4 == 3 ? spoilt : Logits);
                            Interlocked.Increment(ref decoded);
                        }
                        catch (BregmanException e)
                        {
                            Check.That(
                                e.Message.Contains("in use") || e.Message.Contains("logit"), "unexpected: " + e.Message);
                            Interlocked.Increment(ref refused);
                        }
                    }
                });
                Check.Equal(8 * 3000, decoded + refused);
                // Each success advanced the position by one, and no refusal did.
                var next = sampler.Decode(Logits).Token;
                using (var alone = new Sampler(Inputs.Chain, 0))
                {
                    alone.Reseed(1, (ulong)decoded);
                    Check.Equal(alone.Decode(Logits).Token, next);
                }
            }
        }

        /// <summary>A sampler whose next call from another thread blocks until it is released.</summary>
        private sealed class Held : IDisposable
        {
            internal static readonly float[] Logits = Inputs.Row(50, 1);

            private readonly ManualResetEventSlim inside = new ManualResetEventSlim();
            private readonly ManualResetEventSlim released = new ManualResetEventSlim();
            private volatile bool holding;

            internal Held()
            {
                Func<double, double> inverse = y =>
                {
                    if (holding)
                    {
                        inside.Set();
                        released.Wait();
                    }
                    return y / 2;
                };
                Sampler = new Sampler(
                    "bregman(generator=g, lambda=0.001) | draw", 0, new Generator("g", x => x * x, x => 2 * x, inverse));
            }

            internal Sampler Sampler { get; }

            internal Task<DecodeResult> Enter()
            {
                holding = true;
                var call = Task.Run(() => Sampler.Decode(Logits));
                Check.That(inside.Wait(TimeSpan.FromSeconds(30)), "the call gets to the generator");
                return call;
            }

            internal void Release()
            {
                holding = false;
                released.Set();
            }

            public void Dispose()
            {
                Release();
                Sampler.Dispose();
            }
        }
    }
}
