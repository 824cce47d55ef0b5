using System;
using System.IO;

namespace Bregman.Tests
{
    /// <summary>Files and rows that several tests use.</summary>
    internal static class Inputs
    {
        internal const string Chain = "temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw";

        /// <summary>A path in the root of the project, which is in the environment variable BREGMAN_TEST_ROOT.</summary>
        internal static string FromRoot(string path)
        {
            return Path.Combine(Setting("BREGMAN_TEST_ROOT"), path);
        }

        internal static string Setting(string name)
        {
            return Environment.GetEnvironmentVariable(name)
                ?? throw new CheckFailed("the environment variable " + name + " is not set: ci/csharp.sh does it");
        }

        /// <summary>A row of logits from -8 to 8, the same for the same number.</summary>
        internal static float[] Row(int vocab, ulong number)
        {
            var logits = new float[vocab];
            var state = number;
            for (var i = 0; i < vocab; i++)
            {
                logits[i] = (float)((SplitMix64(ref state) >> 40) / 1048576.0) - 8;
            }
            return logits;
        }

        internal static ulong SplitMix64(ref ulong state)
        {
            state += 0x9E3779B97F4A7C15;
            var z = state;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }

        /// <summary>Logits whose softmax at temperature 1 is this distribution.</summary>
        internal static float[] Logs(params double[] probabilities)
        {
            return Array.ConvertAll(probabilities, p => (float)Math.Log(p));
        }

        internal static int[] Draw(Sampler sampler, float[] logits, int count)
        {
            var tokens = new int[count];
            for (var i = 0; i < count; i++)
            {
                tokens[i] = sampler.Decode(logits).Token;
            }
            return tokens;
        }

        /// <summary>Tokens of a sampler on its own, with which other ways to the same tokens are compared.</summary>
        internal static int[] Alone(string chain, ulong seed, float[] logits, int count)
        {
            using (var sampler = new Sampler(chain, seed))
            {
                return Draw(sampler, logits, count);
            }
        }
    }
}
