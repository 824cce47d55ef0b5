using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace Bregman.Tests
{
    using Members = Dictionary<string, object>;

    /// <summary>
    /// The golden vectors with logits: results of the definitions in 50- to 90-digit arithmetic.
    /// </summary>
    internal static class GoldenTests
    {
        [Test]
        public static void GoldenCasesWithLogits()
        {
            var file = (Members)Json.Parse(File.ReadAllText(Inputs.FromRoot("tests/golden/public.json")));
            var tolerances = (Members)file["tolerances"];
            var tolerance = Double(tolerances["f32_pipeline_abs"]);
            var nearTie = Double(((Members)tolerances["k_exempt_if_margin_below"])["f32_pipeline"]);
            int ran = 0, exempt = 0;
            foreach (Members @case in (List<object>)file["cases"])
            {
                if (((Members)@case["input"]).TryGetValue("logits", out var logits))
                {
                    ran++;
                    exempt += Holds(@case, Floats(logits), tolerance, nearTie) ? 0 : 1;
                }
            }
            Check.Equal(276, ran, "cases with logits");
            Check.That(exempt <= 6, exempt + " near ties went the other way");
        }

        /// <summary>False for a case whose support differs because single precision cannot resolve a tie.</summary>
        private static bool Holds(Members @case, float[] logits, double tolerance, double nearTie)
        {
            var name = (string)@case["name"];
            var expected = (Members)@case["expect"];
            var ids = ((List<object>)expected["ids"]).Select(id => ((Json.Number)id).Int).ToArray();
            var p = ((List<object>)expected["phat"]).Select(Double).ToArray();
            using (var sampler = new Sampler(Chain(@case), 0))
            {
                var distribution = sampler.Distribution(logits);
                if (distribution.Length != ids.Length && IsNearTie(expected, nearTie))
                {
                    return false;
                }
                Check.SameSequence(ids, distribution.Select(entry => entry.Token), name);
                for (var i = 0; i < p.Length; i++)
                {
                    Check.Near(p[i], distribution[i].Probability, tolerance, name + ", token " + ids[i]);
                }
            }
            using (var sampler = new Sampler(Chain(@case) + " | draw", 1))
            {
                var result = sampler.Decode(logits, DecodeFlags.KeptMass);
                Check.Equal((uint)ids.Length, result.Support, name);
                Check.Near(p[Array.IndexOf(ids, result.Token)], result.Probability, tolerance, name);
                Check.Near(Double(expected["head_mass"]), result.KeptMass, tolerance, name);
            }
            return true;
        }

        private static string Chain(Members @case)
        {
            var sizes = new[] { "lambda", "floor", "k", "k_min", "k_max" }
                .Where(@case.ContainsKey)
                .Select(name => name + "=" + Text(@case[name]));
            return "temperature(" + Text(@case["temperature"]) + ") | bregman(alpha=" + Text(@case["alpha"]) + ", mode="
                + @case["mode"] + ", " + string.Join(", ", sizes) + ")";
        }

        private static bool IsNearTie(Members expected, double below)
        {
            return expected.TryGetValue("margin", out var margin) && Double(margin) > 0 && Double(margin) < below;
        }

        private static float[] Floats(object list)
        {
            // JSON has no infinity, so it is a string.
            return ((List<object>)list).Select(x => x is string ? float.NegativeInfinity : (float)Double(x)).ToArray();
        }

        private static double Double(object number)
        {
            return ((Json.Number)number).Double;
        }

        private static string Text(object value)
        {
            return value is Json.Number number ? number.Text : (string)value;
        }
    }
}
