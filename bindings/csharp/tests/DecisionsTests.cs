using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Bregman.Tests
{
    /// <summary>Decisions beside the decoder: the values of the papers, refused arguments, and the header.</summary>
    internal static class DecisionsTests
    {
        private static readonly double[] P = { 0.4, 0.3, 0.2, 0.1 };
        private static readonly double[] Rewards = { 0, 1, 2, 3 };

        [Test]
        public static void BestOfNReproducesThePublishedLaw()
        {
            var best = Decisions.BestOfN(P, Rewards, 2);
            Check.Near(0.16, best.Law[0], 1e-12, "the worst outcome");
            Check.Near(0.19, best.Law[3], 1e-12, "the best outcome");
            Check.Near(0.157199, best.Divergence, 1e-6, "the divergence");
            Check.Near(0.65, best.WinRate, 1e-12, "the win rate");
            var kl = Decisions.BestOfNBounds(8, out var winRate);
            Check.Near(Math.Log(8) - 7.0 / 8, kl, 1e-12, "the bound");
            Check.Near(8.0 / 9, winRate, 1e-12, "its win rate");
            Check.SameSequence(
                new[] { 0, kl }, Decisions.BestOfNDivergenceEstimates(new[] { 0, double.NegativeInfinity }, 8), "estimates");
            Refused("n is 0", () => Decisions.BestOfN(P, Rewards, 0));
            Refused("n is 0", () => Decisions.BestOfNBounds(0, out _));
            Refused("log_epsilons[0] is 0.4", () => Decisions.BestOfNDivergenceEstimates(P, 8));
            Check.Throws<ArgumentNullException>(() => Decisions.BestOfN(null, Rewards, 2));
            Check.Throws<ArgumentException>(() => Decisions.BestOfN(P, new double[3], 2));
        }

        [Test]
        public static void SoftValuesReproduceThePublishedWeights()
        {
            var values = new[] { 0.3, 0.9, 0.1 };
            var soft = Decisions.SoftValues(values, 3, 0.25);
            Check.Near(0.883798, soft.Weights[1], 1e-6, "the largest weight");
            Check.Near(0.656229, soft.Values[0], 1e-6, "the soft value");
            var shifted = Decisions.SoftValues(values, 3, 0.25, new[] { -1.0, -1, -1 });
            Check.Near(0.656229 - 0.25, shifted.Values[0], 1e-6, "the soft value of a proposal");
            Refused("alpha is 0", () => Decisions.SoftValues(values, 3, 0));
            Check.Throws<ArgumentException>(() => Decisions.SoftValues(values, 2, 1));
            Check.Throws<ArgumentOutOfRangeException>(() => Decisions.SoftValues(values, 0, 1));
            Check.Throws<ArgumentException>(() => Decisions.SoftValues(values, 3, 1, P));
        }

        [Test]
        public static void RouteReproducesThePublishedGates()
        {
            var h = new[] { 1, 3, 2, 0.5, 2.5, -1, 0.25, 2.25 };
            var first = new[] { 0.481024, 0.364108, 0.481024, 0.481024, 0.952574, 1.061774 };
            foreach (GateConvention convention in Enum.GetValues(typeof(GateConvention)))
            {
                var gate = new Gate { Convention = convention, Experts = 8, TopK = 3 };
                if (convention == GateConvention.DeepSeekV3)
                {
                    gate.Groups = 4;
                    gate.TopGroups = 2;
                    gate.Scale = 2.5;
                    gate.Bias = new[] { 0, -0.3, 0.1, 0, 0, 0.6, 0, 0.05 };
                }
                var routes = Decisions.Route(gate, h);
                Check.Near(first[(int)convention], routes[0].Weight, 1e-6, convention.ToString());
                Check.Equal(3, routes.Length, "experts");
                gate.TopK = 9;
                Refused("top_k is 9", () => Decisions.Route(gate, h));
                gate.TopK = -1;
                Check.Throws<ArgumentOutOfRangeException>(() => Decisions.Route(gate, h));
            }
            Refused("options->convention is 6", () => Decisions.Route(
                new Gate { Convention = (GateConvention)6, Experts = 8, TopK = 1 }, h));
            Check.Throws<ArgumentException>(() => Decisions.Route(
                new Gate { Convention = GateConvention.DeepSeekV3, Experts = 8, TopK = 1, Bias = new double[3] }, h));
            Check.Throws<ArgumentNullException>(() => Decisions.Route(null, h));
        }

        [Test]
        public static void ArmsAreChosenAndJudged()
        {
            var means = new[] { 0.5, 0.45, 0.43, 0.4 };
            var pulls = new ulong[] { 20, 15, 12, 10 };
            var verdict = Decisions.BestArm(RewardLaw.Gaussian, 1, means, pulls, 0.1);
            Check.Near(0.01071429, verdict.Statistic, 1e-8, "the statistic");
            Check.Equal(false, verdict.Stop, "stop");
            Check.Equal(0, verdict.Best, "the best arm");
            var next = Decisions.NextArm(new ArmOptions(), means, pulls, 42, 57);
            Check.Equal(next.Arm, Decisions.NextArm(new ArmOptions(), means, pulls, 42, 57).Arm, "the same again");
            Refused("redraws is 1", () => Decisions.NextArm(new ArmOptions { Redraws = 1 }, means, pulls, 42, 57));
            Refused("sigma is 1", () => Decisions.BestArm(RewardLaw.Bernoulli, 1, means, pulls, 0.1));
            Check.Throws<ArgumentException>(() => Decisions.BestArm(RewardLaw.Bernoulli, 0, means, new ulong[3], 0.1));
            Check.Throws<ArgumentNullException>(() => Decisions.NextArm(null, means, pulls, 42, 57));
        }

        [Test]
        public static void TrustReproducesThePublishedValues()
        {
            var rejects = Decisions.Abstain(new[] { 0.9, 0.9, 0.6, 0.7 }, new[] { 0.1, 0.6, 0.1, 0.1 }, 0.2, 0.3);
            Check.SameSequence(new[] { false, true, true, false }, rejects, "rejected");
            var z = new[] { 0.55, 0.57, 0.72, 0.74, 0.74, 0.93 };
            var ranks = new uint[] { 1, 0, 1, 1, 0, 1 };
            var found = Decisions.CalibrationError(z, ranks, 1, 10);
            Check.Near(-0.1399666667, found.SquaredError, 1e-9, "the error");
            Check.Near(0.0032643150, found.Variance, 1e-9, "its variance");
            Check.Equal(3, found.Cells, "cells");
            Check.Equal(true, double.IsNaN(found.PValue), "no test");
            Check.Throws<ArgumentException>(() => Decisions.CalibrationError(z, new uint[5], 1, 10));
            Check.Throws<ArgumentOutOfRangeException>(() => Decisions.CalibrationError(z, ranks, 1, -1));
            Check.Near(0.3, Decisions.Distortion(new[] { -0.1, -0.2 }), 1e-12, "the distortion");
            Check.Near(
                0.5,
                Decisions.DistortionOfLogProbabilities(new[] { -0.1, -0.2 }, new[] { -0.3, -0.5 }),
                1e-12,
                "of log-probabilities");
            Refused("log_kept[0] is 0.55", () => Decisions.Distortion(z));
            Check.Throws<ArgumentException>(() => Decisions.Abstain(z, P, 0.1, 0.1));
        }

        /// <summary>Constants, fields in their order, and functions; the sizes follow from the types of the fields.</summary>
        [Test]
        public static void DeclarationsEqualTheHeaders()
        {
            var header = File.ReadAllText(Inputs.FromRoot("include/bregman_decisions.h"));
            var constants = Regex.Matches(header, @"(?m)^#define BREGMAN_(\w+) (\d+)$").Cast<Match>()
                .Select(match => match.Groups[1].Value.Replace("_", "") + "=" + match.Groups[2].Value);
            var ours = Values<GateConvention>("GATE").Concat(Values<RewardLaw>("REWARDS")).Concat(Values<ArmRule>("ARMS"));
            Check.SameSequence(constants.OrderBy(c => c), ours.OrderBy(c => c), "constants");
            var names = new Dictionary<string, string>
            {
                { "bregman_gate_options", "NativeGateOptions" },
                { "bregman_arm_options", "NativeArmOptions" },
                { "bregman_verdict", "NativeVerdict" },
                { "bregman_calibration", "NativeCalibration" },
            };
            var assembly = typeof(Sampler).Assembly;
            foreach (var pair in names)
            {
                var start = header.IndexOf("typedef struct " + pair.Key + " {");
                var body = header.Substring(start, header.IndexOf("} " + pair.Key + ";") - start);
                var fields = Regex.Matches(body, @"(?m)^    (uint32_t|size_t|double) (\w+);$").Cast<Match>()
                    .Select(match => match.Groups[2].Value + ":" + (match.Groups[1].Value == "uint32_t" ? 4 : 8));
                var type = assembly.GetType("Bregman.Interop." + pair.Value, true);
                var declared = type.GetFields(BindingFlags.Instance | BindingFlags.NonPublic);
                Check.SameSequence(fields, declared.Select(field => field.Name + ":" + Size(field.FieldType)), pair.Key);
            }
            var functions = Regex.Matches(header, @"\(\*(?!bregman_)(\w+)\)").Cast<Match>()
                .Select(match => "bregman_" + match.Groups[1].Value);
            var imported = assembly.GetType("Bregman.Interop.NativeDecisions", true)
                .GetMethods(BindingFlags.NonPublic | BindingFlags.Static)
                .Where(method => (method.Attributes & MethodAttributes.PinvokeImpl) != 0)
                .Select(method => method.Name);
            Check.SameSequence(
                functions.OrderBy(name => name, StringComparer.Ordinal),
                imported.OrderBy(name => name, StringComparer.Ordinal),
                "functions");
        }

        private static IEnumerable<string> Values<T>(string prefix)
        {
            return Enum.GetValues(typeof(T)).Cast<T>()
                .Select(value => prefix + value.ToString().ToUpperInvariant() + "=" + Convert.ToUInt64(value));
        }

        private static int Size(Type type)
        {
            return Marshal.SizeOf(type.IsEnum ? Enum.GetUnderlyingType(type) : type);
        }

        private static void Refused(string beginning, Action call)
        {
            var message = Check.Refused(Status.InvalidArgument, call).Message;
            Check.That(message.StartsWith(beginning, StringComparison.Ordinal), message);
        }
    }
}
