using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace Bregman.Tests
{
    /// <summary>Every misuse is an exception with a reason, and never ends the process.</summary>
    internal static unsafe class MisuseTests
    {
        private static readonly float[] Logits = { 1, 2, 3 };

        [Test]
        public static void InvalidChainsAreRefused()
        {
            var unknown = Check.Refused(Status.InvalidChain, () => new Sampler("temprature(1) | draw", 0));
            Check.Contains("temperature", unknown.Message);
            Check.Refused(Status.InvalidChain, () => new Sampler("", 0));
            Check.Refused(Status.InvalidChain, () => new Sampler("top_k(-1)", 0));
            Check.Refused(Status.Unsupported, () => new Sampler("bregman(alpha=100, k=5)", 0));
            Check.Refused(Status.InvalidChain, () => new Sampler(new string('x', 100000), 0));
            Check.Refused(Status.InvalidChain, () => new Sampler("größer(ß=1) | draw", 0));
            Check.Throws<ArgumentNullException>(() => new Sampler(null, 0));
            Check.Throws<ArgumentException>(() => new Sampler("greedy\0| draw", 0));
            Check.Throws<ArgumentException>(() => new Sampler("greedy\ud800", 0));
        }

        [Test]
        public static void CallsOnADisposedSamplerThrow()
        {
            var sampler = new Sampler("greedy", 0);
            sampler.Dispose();
            sampler.Dispose();
            var result = new DecodeResult[1];
            var calls = new List<Action>
            {
                () => sampler.Decode(Logits),
                () => sampler.Decode(Logits, DecodeFlags.Entropy),
                () => sampler.Decode(new ushort[3], LogitFormat.F16),
                () => sampler.TryDecode(Logits, out result[0]),
                () => Sampler.DecodeBatch(new[] { sampler }, Logits, 3, result),
                () => sampler.Distribution(Logits),
                () => sampler.TryDistribution(Logits, new int[1], new float[1], out _),
                () => sampler.Process(new float[3]),
                () => sampler.Apply(new Candidate[3]),
                () => sampler.Accept(1),
                () => sampler.Reset(),
                () => sampler.Reseed(1),
                () => sampler.SetLogitBias(new int[0], new float[0]),
                () => sampler.SetMask(null),
                () => sampler.SetPromptLength(0),
                () => sampler.DrawMany(Logits, 1),
                () => sampler.TopLogProbabilities(Logits, 1),
                () => Sampler.DecodeBatch(
                    new[] { sampler }, Logits, 3, result, new BatchOptions { Answers = new BatchAnswers() }),
                () => sampler.Describe(),
                () => sampler.Clone(),
                () => sampler.LastError.ToString(),
            };
            foreach (var call in calls)
            {
                Check.Throws<ObjectDisposedException>(call);
            }
        }

        [Test]
        public static void InvalidRowsAreRefused()
        {
            using (var sampler = new Sampler("greedy", 0))
            {
                Check.Throws<ArgumentNullException>(() => sampler.Decode((float[])null));
                Check.Throws<ArgumentNullException>(() => sampler.Decode((ushort[])null, LogitFormat.F16));
                Check.Throws<ArgumentNullException>(() => sampler.TryDecode((float[])null, out _));
                Check.Throws<ArgumentNullException>(() => sampler.Distribution((float[])null));
                Check.Throws<ArgumentNullException>(() => sampler.TryDistribution(Logits, null, new float[1], out _));
                Check.Throws<ArgumentNullException>(() => sampler.TryDistribution(Logits, new int[1], null, out _));
                Check.Throws<ArgumentNullException>(() => sampler.Process((float[])null));
                Check.Throws<ArgumentNullException>(() => sampler.Apply((Candidate[])null));
                Check.Throws<ArgumentNullException>(() => sampler.Accept((int[])null));
                Check.Throws<ArgumentNullException>(() => sampler.SetLogitBias(null, new float[0]));
                Check.Throws<ArgumentNullException>(() => sampler.SetLogitBias(new int[0], null));
                Check.Throws<ArgumentNullException>(() => sampler.SetLogitBias((Dictionary<int, float>)null));
                Check.Throws<ArgumentNullException>(() => sampler.DrawMany((float[])null, 1));
                Check.Throws<ArgumentNullException>(() => sampler.DrawMany(Logits, (int[])null, new float[1]));
                Check.Throws<ArgumentNullException>(() => sampler.DrawMany(Logits, new int[1], (float[])null));
                Check.Throws<ArgumentNullException>(() => sampler.TopLogProbabilities((float[])null, 1));
                Check.Throws<ArgumentNullException>(() => sampler.TopLogProbabilities(Logits, (int[])null, new float[1]));
                Check.Throws<ArgumentNullException>(() => sampler.TopLogProbabilities(Logits, new int[1], (float[])null));
                Check.Throws<ArgumentException>(() => sampler.Decode(new float[0]));
                Check.Throws<ArgumentException>(() => sampler.Decode(Logits, DecodeFlags.None, new uint[0]));
                Check.Throws<ArgumentException>(() => sampler.Decode(new ushort[3], LogitFormat.F32));
                Check.Throws<ArgumentException>(() => sampler.Process(new float[0]));
                Check.Throws<ArgumentException>(
                    () => sampler.TryDistribution(Logits, new int[2], new float[1], out _));
                Check.Refused(Status.InvalidArgument, () => sampler.Decode(Logits, (DecodeFlags)0x80000000));
            }
        }

        [Test]
        public static void InvalidPointersAreRefused()
        {
            var memory = Marshal.AllocHGlobal(64);
            using (var sampler = new Sampler("greedy", 0))
            {
                var row = (float*)memory;
                Check.Refused(Status.InvalidArgument, () => sampler.Decode((void*)null, LogitFormat.F32, 3));
                Check.Refused(Status.InvalidArgument, () => sampler.Decode((byte*)row + 1, LogitFormat.F32, 3));
                Check.Refused(Status.InvalidArgument, () => sampler.Decode(row, LogitFormat.F32, 0));
                Check.Refused(Status.InvalidArgument, () => sampler.Decode(row, LogitFormat.F32, -1));
                Check.Refused(Status.InvalidArgument, () => sampler.Decode(row, LogitFormat.F16, int.MinValue));
                Check.Refused(Status.InvalidArgument, () => sampler.Decode(row, (LogitFormat)3, 3));
                var mask = (uint*)memory;
                Check.Refused(
                    Status.InvalidArgument, () => sampler.Decode(row, LogitFormat.F32, 3, DecodeFlags.None, mask, 0));
                Check.Refused(
                    Status.InvalidArgument, () => sampler.Decode(row, LogitFormat.F32, 3, DecodeFlags.None, mask, -5));
                Check.Refused(Status.InvalidArgument, () => sampler.Distribution(null, 3));
                Check.Refused(Status.InvalidArgument, () => sampler.Process(row, -3));
            }
            Marshal.FreeHGlobal(memory);
        }

        [Test]
        public static void InvalidLogitsAreRefused()
        {
            using (var sampler = new Sampler("draw", 0))
            {
                Check.Refused(Status.InvalidLogits, () => sampler.Decode(new[] { 1f, float.NaN }));
                Check.Refused(Status.InvalidLogits, () => sampler.Decode(new[] { float.PositiveInfinity }));
                Check.Refused(Status.EmptySupport, () => sampler.Decode(new[] { float.NegativeInfinity }));
                var logits = new[] { float.NaN, 1f };
                Check.Refused(Status.InvalidLogits, () => sampler.Process(logits));
                Check.That(float.IsNaN(logits[0]) && logits[1] == 1f, "a failure leaves the logits");
                Check.Refused(Status.InvalidLogits, () => sampler.Distribution(logits));
            }
            using (var sampler = new Sampler("top_k(3)", 0))
            {
                Check.Refused(Status.Unsupported, () => sampler.Decode(Logits));
            }
        }
    }
}
