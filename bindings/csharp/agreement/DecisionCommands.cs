using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace Bregman.Agreement
{
    /// <summary>The commands of decisions.txt.</summary>
    internal sealed class DecisionCommands
    {
        private readonly Dictionary<string, double[]> numbers = new Dictionary<string, double[]>();
        private readonly Dictionary<string, ulong[]> counts = new Dictionary<string, ulong[]>();
        private readonly Dictionary<string, Action<Words>> lists;
        private readonly Dictionary<string, Func<Words, string>> calls;

        internal DecisionCommands()
        {
            lists = new Dictionary<string, Action<Words>>
            {
                { "numbers", w => numbers[w.Text()] = Array.ConvertAll(w.All(), Bits) },
                { "uniforms", Uniforms },
                { "counts", Counts },
            };
            calls = new Dictionary<string, Func<Words, string>>
            {
                { "best_of_n", BestOfN },
                { "best_of_n_bounds", Bounds },
                { "best_of_n_kl_estimates", w => Figures(Decisions.BestOfNDivergenceEstimates(List(w), w.Long())) },
                { "soft_values", SoftValues },
                { "route", Route },
                { "next_arm", NextArm },
                { "best_arm", BestArm },
                { "abstain", w => " " + Digits(Decisions.Abstain(List(w), List(w), Bits(w.Text()), Bits(w.Text()))) },
                { "calibration_error", CalibrationError },
                { "distortion", w => Figures(Decisions.Distortion(List(w))) },
                { "distortion_of_logprobs", w => Figures(Decisions.DistortionOfLogProbabilities(List(w), List(w))) },
            };
        }

        /// <summary>Whether the command is one of these; if it calls a function, <paramref name="call"/> does so.</summary>
        internal bool Find(string command, Words w, out Func<string> call)
        {
            call = null;
            if (lists.TryGetValue(command, out var list))
            {
                list(w);
                return true;
            }
            if (calls.TryGetValue(command, out var found))
            {
                call = () => "ok" + found(w);
                return true;
            }
            return false;
        }

        private void Uniforms(Words w)
        {
            var name = w.Text();
            var list = new double[w.Int()];
            var seed = w.Long();
            double from = w.Int(), to = w.Int();
            for (var n = 0; n < list.Length; n++)
            {
                list[n] = from + (to - from) * ((Splitmix(seed, (ulong)n) >> 11) * (1.0 / (1L << 53)));
            }
            numbers[name] = list;
        }

        private void Counts(Words w)
        {
            var name = w.Text();
            var list = new ulong[w.Int()];
            var seed = w.Long();
            var most = w.Long();
            for (var n = 0; n < list.Length; n++)
            {
                list[n] = (Splitmix(seed, (ulong)n) >> 11) % (most + 1);
            }
            counts[name] = list;
        }

        private string BestOfN(Words w)
        {
            var best = Decisions.BestOfN(List(w), List(w), w.Long());
            return Figures(best.Divergence, best.WinRate) + Figures(best.Law);
        }

        private string Bounds(Words w)
        {
            var kl = Decisions.BestOfNBounds(w.Long(), out var winRate);
            return Figures(kl, winRate);
        }

        private string SoftValues(Words w)
        {
            var values = List(w);
            var ratios = List(w);
            var soft = Decisions.SoftValues(values, w.Int(), Bits(w.Text()), ratios);
            return Figures(soft.Values) + Figures(soft.Weights);
        }

        private string Route(Words w)
        {
            var gate = new Gate
            {
                Convention = (GateConvention)w.Int(),
                Experts = w.Int(),
                TopK = w.Int(),
                Groups = w.Int(),
                TopGroups = w.Int(),
                Scale = Bits(w.Text()),
                Bias = List(w),
            };
            var routes = Decisions.Route(gate, List(w));
            return string.Concat(routes.Select(route => " " + route.Id + ":" + Figures(route.Weight).Substring(1)));
        }

        private string NextArm(Words w)
        {
            var options = new ArmOptions
            {
                Rule = (ArmRule)w.Int(),
                Rewards = (RewardLaw)w.Int(),
                Redraws = (uint)w.Int(),
                Sigma = Bits(w.Text()),
                Beta = Bits(w.Text()),
            };
            var means = List(w);
            var pulls = counts[w.Text()];
            ulong seed = w.Long(), first = w.Long(), count = w.Long();
            var text = "";
            for (var i = 0UL; i < count; i++)
            {
                var next = Decisions.NextArm(options, means, pulls, seed, first + i);
                text += " " + next.Arm + ":" + next.Leader;
            }
            return text;
        }

        private string BestArm(Words w)
        {
            var rewards = (RewardLaw)w.Int();
            var sigma = Bits(w.Text());
            var verdict = Decisions.BestArm(rewards, sigma, List(w), counts[w.Text()], Bits(w.Text()));
            return " " + Digits(verdict.Stop) + " " + verdict.Best + Figures(verdict.Statistic, verdict.Threshold);
        }

        private string CalibrationError(Words w)
        {
            var probabilities = List(w);
            var ranks = Array.ConvertAll(counts[w.Text()], rank => (uint)rank);
            int top = w.Int();
            var bins = (long)w.Long();
            var c = Decisions.CalibrationError(probabilities, ranks, top, bins, Bits(w.Text()), (uint)w.Int(), w.Long());
            return " " + c.Cells + Figures(c.SquaredError, c.Variance, c.Lower, c.Upper, c.PValue);
        }

        /// <summary>Null for "-".</summary>
        private double[] List(Words w)
        {
            var name = w.Text();
            return name == "-" ? null : numbers[name];
        }

        private static double Bits(string word)
        {
            var bits = ulong.Parse(word, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            return BitConverter.Int64BitsToDouble(unchecked((long)bits));
        }

        private static string Figures(params double[] list)
        {
            return string.Concat(list.Select(
                x => double.IsNaN(x) ? " nan" : " " + BitConverter.DoubleToInt64Bits(x).ToString("x16")));
        }

        private static string Digits(params bool[] flags)
        {
            return string.Concat(flags.Select(flag => flag ? "1" : "0"));
        }

        private static ulong Splitmix(ulong seed, ulong n)
        {
            unchecked
            {
                var z = seed + (n + 1) * 0x9E3779B97F4A7C15;
                z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
                z = (z ^ z >> 27) * 0x94D049BB133111EB;
                return z ^ z >> 31;
            }
        }
    }
}
