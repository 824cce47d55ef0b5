using System;
using Bregman.Interop;

namespace Bregman
{
    // Abstention, calibration and distortion.
    public static unsafe partial class Decisions
    {
        /// <summary>
        /// Whether to reject each input: (1 - c_in - c_out)(1 - max p) + c_out ρ > c_in. For a host that returns "I do not know" or
        /// asks a larger model; not a detector, because max p and ρ are the caller's.
        /// </summary>
        /// <param name="maxP">The probability of the most likely answer, from 0 to 1.</param>
        /// <param name="ratios">
        /// An estimate of ρ, how much likelier the input is under the other inputs than under those that the model was made
        /// for; not negative, may be infinite.
        /// </param>
        /// <param name="cIn">The cost of rejecting an input of the model's own.</param>
        /// <param name="cOut">The cost of answering another one; an error on an own input costs 1 - cIn - cOut.</param>
        /// <returns>True for each input to reject.</returns>
        public static bool[] Abstain(double[] maxP, double[] ratios, double cIn, double cOut)
        {
            SameLength(NotNull(ratios, nameof(ratios)), nameof(ratios), NotNull(maxP, nameof(maxP)), nameof(maxP));
            var flags = new byte[maxP.Length];
            Run((error, size) =>
            {
                fixed (double* p = maxP, rho = ratios)
                fixed (byte* to = flags)
                {
                    return NativeDecisions.bregman_abstain(p, rho, (UIntPtr)flags.Length, cIn, cOut, to, error, size);
                }
            });
            return Array.ConvertAll(flags, flag => flag != 0);
        }

        /// <summary>
        /// The ℓ2 calibration error of the most likely classes of each sample, with an interval and a test. For a host that reports
        /// whether probabilities can be trusted; not for small sets, where a cell of one sample says nothing.
        /// </summary>
        /// <param name="probabilities">
        /// <paramref name="top"/> probabilities for each sample, row after row; from 0 to 1, with a sum of at most 1 in a row.
        /// </param>
        /// <param name="ranks">
        /// For each sample 1 if the first of these classes was right, 2 if the second was, and so on, 0 if none was.
        /// </param>
        /// <param name="top">Number of classes, at least 1; 1 for the confidence alone.</param>
        /// <param name="bins">Number of bins of the same width into which each probability is sorted, at least 1.</param>
        /// <param name="level">Coverage of the interval, above 0 and below 1. Default: 0.9.</param>
        /// <param name="resamples">Sets of outcomes that the test draws, such as 999. Default: 0, no test.</param>
        /// <param name="seed">The random numbers of the test. Default: 0.</param>
        /// <returns>The error, its interval and the p-value.</returns>
        public static Calibration CalibrationError(
            double[] probabilities,
            uint[] ranks,
            int top,
            long bins,
            double level = 0.9,
            uint resamples = 0,
            ulong seed = 0)
        {
            var rows = Rows(NotNull(probabilities, nameof(probabilities)), nameof(probabilities), top, nameof(top));
            if (NotNull(ranks, nameof(ranks)).Length != rows)
            {
                throw new ArgumentException(
                    "ranks has " + ranks.Length + " elements, probabilities has " + rows + " rows", nameof(ranks));
            }
            var binCount = Size(bins, nameof(bins));
            var found = new NativeCalibration();
            Run((error, size) =>
            {
                var to = new NativeCalibration { struct_size = (uint)sizeof(NativeCalibration) };
                fixed (double* z = probabilities)
                fixed (uint* rank = ranks)
                {
                    var status = NativeDecisions.bregman_calibration_error(
                        z, rank, (UIntPtr)rows, (UIntPtr)top, binCount, level, resamples, seed, &to, error, size);
                    found = to;
                    return status;
                }
            });
            return new Calibration(
                (int)found.cells, found.squared_error, found.variance, found.lower, found.upper, found.p_value);
        }

        /// <summary>
        /// ln q - ln p = -Σ ln S of a sequence whose distributions were truncated and renormalised, in nats. For a host that compares
        /// samples with the model's own law; not a measure of quality.
        /// </summary>
        /// <param name="logKept">ln of the mass that was kept for each token, at most 0.</param>
        /// <returns>The sum.</returns>
        public static double Distortion(double[] logKept)
        {
            NotNull(logKept, nameof(logKept));
            double sum = 0;
            Run((error, size) =>
            {
                double to = 0;
                fixed (double* from = logKept)
                {
                    var status = NativeDecisions.bregman_distortion(from, (UIntPtr)logKept.Length, &to, error, size);
                    sum = to;
                    return status;
                }
            });
            return sum;
        }

        /// <summary>Σ (ln p̂ - ln p) over the tokens of a sequence, in nats: the distortion of any decoder.</summary>
        /// <param name="decoded">ln of each token's probability under the decoded distribution, at most 0.</param>
        /// <param name="model">The same under the model.</param>
        /// <returns>The sum.</returns>
        public static double DistortionOfLogProbabilities(double[] decoded, double[] model)
        {
            SameLength(NotNull(model, nameof(model)), nameof(model), NotNull(decoded, nameof(decoded)), nameof(decoded));
            double sum = 0;
            Run((error, size) =>
            {
                double to = 0;
                fixed (double* first = decoded, second = model)
                {
                    var status = NativeDecisions.bregman_distortion_of_logprobs(
                        first, second, (UIntPtr)decoded.Length, &to, error, size);
                    sum = to;
                    return status;
                }
            });
            return sum;
        }
    }
}
