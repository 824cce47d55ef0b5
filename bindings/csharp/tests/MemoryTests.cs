using System;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Bregman.Tests
{
    internal static unsafe class MemoryTests
    {
        private const long Megabyte = 1 << 20;

        private static readonly float[] Logits = Inputs.Row(64, 1);

        [Test]
        public static void CreateDecodeDisposeKeepsMemoryConstant()
        {
            Cycles(20000);
            var before = Resident();
            Cycles(100000);
            var grown = Resident() - before;
            Check.That(grown < 4 * Megabyte, "the process grew by " + grown + " bytes");
        }

        /// <summary>Errors and clones own native memory, too.</summary>
        [Test]
        public static void FailuresKeepMemoryConstant()
        {
            Failures(20000);
            var before = Resident();
            Failures(20000);
            var grown = Resident() - before;
            Check.That(grown < 4 * Megabyte, "the process grew by " + grown + " bytes");
        }

        /// <summary>Each sampler holds 1 MB of bias or more, and none is disposed.</summary>
        [Test]
        public static void FinaliserFreesUnreachableSamplers()
        {
            Forget(20);
            var before = Resident();
            for (var round = 0; round < 40; round++)
            {
                Forget(20);
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
            var grown = Resident() - before;
            Check.That(grown < 200 * Megabyte, "of at least 800 MB, " + grown / Megabyte + " MB are still there");
        }

        [Test]
        public static void DecodingAllocatesNoManagedMemory()
        {
            var candidates = new Candidate[64];
            var processed = new float[64];
            var ids = new int[64];
            var probabilities = new float[64];
            var scores = new float[64];
            var half = new ushort[64];
            var mask = new uint[] { 0xFFFFFFFF, 0xFFFFFFFF };
            var results = new DecodeResult[40];
            var rows = Enumerable.Range(0, 40).SelectMany(_ => Logits).ToArray();
            var samplers = Enumerable.Range(0, 40).Select(r => new Sampler(Inputs.Chain, (ulong)r)).ToArray();
            var options = new BatchOptions { RowStride = 64, Flags = DecodeFlags.Entropy };
            var withAnswers = new BatchOptions
            {
                Answers = new BatchAnswers { Ranks = new uint[40], Top = 3, TopIds = new int[120], KeptMask = new uint[80] },
            };
            var spoilt = new[] { float.NaN };
            var sampler = samplers[0];
            Check.Throws<CheckFailed>(() => AllocatesNothing("what does", 20000, () => GC.KeepAlive(new object())));
            AllocatesNothing("Decode", 50000, () => sampler.Decode(Logits));
            AllocatesNothing("Decode with flags", 20000, () => sampler.Decode(Logits, DecodeFlags.Entropy, mask));
            AllocatesNothing("Decode of halves", 20000, () => sampler.Decode(half, LogitFormat.F16));
            AllocatesNothing("TryDecode", 20000, () => sampler.TryDecode(Logits, out _));
            AllocatesNothing("TryDecode that fails", 20000, () => sampler.TryDecode(spoilt, out _));
            AllocatesNothing("DecodeBatch", 2000, () => Sampler.DecodeBatch(samplers, rows, 64, results, options));
            AllocatesNothing(
                "TryDistribution", 20000, () => sampler.TryDistribution(Logits, ids, probabilities, out _));
            AllocatesNothing("DrawMany", 20000, () => sampler.DrawMany(Logits, ids, probabilities, scores));
            AllocatesNothing("TopLogProbabilities", 20000, () => sampler.TopLogProbabilities(Logits, ids, probabilities));
            AllocatesNothing("SetMask", 20000, () => sampler.SetMask(mask));
            AllocatesNothing("SetPromptLength", 20000, () => sampler.SetPromptLength(0));
            AllocatesNothing("DecodeBatch with answers", 2000, () => Sampler.DecodeBatch(samplers, rows, 64, results, withAnswers));
            AllocatesNothing("Process", 20000, () =>
            {
                Array.Copy(Logits, processed, 64);
                sampler.Process(processed);
            });
            AllocatesNothing("Apply", 20000, () =>
            {
                for (var i = 0; i < 64; i++)
                {
                    candidates[i] = new Candidate(i, Logits[i]);
                }
                sampler.Apply(candidates);
            });
            AllocatesNothing("Accept", 20000, () => sampler.Accept(3));
            AllocatesNothing("Reseed", 20000, () => sampler.Reseed(1, 2));
            AllocatesNothing("Reset", 20000, () => sampler.Reset());
#if NETCOREAPP3_0_OR_GREATER
            AllocatesNothing("Decode of a span", 20000, () => sampler.Decode(Logits.AsSpan()));
            AllocatesNothing("DecodeBatch of spans", 2000, () =>
                Sampler.DecodeBatch(samplers, rows.AsSpan(), 64, results.AsSpan(), options));
#endif
            Array.ForEach(samplers, s => s.Dispose());
        }

        private static void AllocatesNothing(string what, int calls, Action call)
        {
            // Warm-up: the runtime compiles, and a batch makes the buffers of its thread.
            for (var i = 0; i < 200; i++)
            {
                call();
            }
            var before = Allocated();
            for (var i = 0; i < calls; i++)
            {
                call();
            }
            var allocated = Allocated() - before;
            // Less than a byte per call: an object has 24.
            Check.That(allocated < calls, what + " allocated " + allocated + " bytes in " + calls + " calls");
        }

        /// <summary>
        /// Bytes that this thread has allocated, or all threads if the runtime does not count them by thread.
        /// </summary>
        private static long Allocated()
        {
            return Counter == null ? GC.GetTotalMemory(false) : Counter();
        }

        private static readonly Func<long> Counter = FindCounter();

        private static Func<long> FindCounter()
        {
            var method = typeof(GC).GetMethod("GetAllocatedBytesForCurrentThread", BindingFlags.Public | BindingFlags.Static);
            return method == null ? null : (Func<long>)method.CreateDelegate(typeof(Func<long>));
        }

        private static void Cycles(int count)
        {
            for (var i = 0; i < count; i++)
            {
                using (var sampler = new Sampler(Inputs.Chain, (ulong)i))
                {
                    sampler.Decode(Logits);
                }
            }
        }

        private static void Failures(int count)
        {
            var results = new DecodeResult[1];
            for (var i = 0; i < count; i++)
            {
                using (var sampler = new Sampler("top_k(2)", 0))
                using (var clone = sampler.Clone())
                {
                    clone.TryDecode(Logits, out _);
                    Sampler.TryDecodeBatch(new[] { sampler }, Logits, 64, results);
                    try
                    {
                        new Sampler("top_k(2) | nonsense", 0).Dispose();
                    }
                    catch (BregmanException)
                    {
                    }
                }
            }
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static void Forget(int count)
        {
            var ids = Enumerable.Range(0, 131072).ToArray();
            var bias = new float[ids.Length];
            for (var i = 0; i < count; i++)
            {
                new Sampler("draw", 0).SetLogitBias(ids, bias);
            }
        }

        private static long Resident()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            var line = File.ReadLines("/proc/self/status").First(text => text.StartsWith("VmRSS:"));
            return 1024 * long.Parse(line.Split(new[] { ' ', '\t' }, StringSplitOptions.RemoveEmptyEntries)[1]);
        }
    }
}
