using System;
using System.Runtime.InteropServices;

namespace Bregman.Interop
{
    /// <summary>The functions of bregman_decisions.h. All signatures are blittable.</summary>
    internal static unsafe class NativeDecisions
    {
        private const string Library = NativeMethods.Library;
        private const CallingConvention C = CallingConvention.Cdecl;

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_best_of_n(
            double* p,
            double* rewards,
            UIntPtr outcomes,
            ulong n,
            double* law,
            double* kl,
            double* winRate,
            byte* error,
            UIntPtr errorSize);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_best_of_n_bounds(
            ulong n, double* kl, double* winRate, byte* error, UIntPtr errorSize);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_best_of_n_kl_estimates(
            double* logEpsilons, UIntPtr prompts, ulong n, double* estimates, byte* error, UIntPtr errorSize);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_soft_values(
            double* values,
            double* logRatios,
            UIntPtr rows,
            UIntPtr candidates,
            double alpha,
            double* weights,
            double* softValues,
            byte* error,
            UIntPtr errorSize);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_route(
            NativeGateOptions* options,
            double* bias,
            double* logits,
            UIntPtr rows,
            int* ids,
            double* weights,
            byte* error,
            UIntPtr errorSize);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_next_arm(
            NativeArmOptions* options,
            double* means,
            ulong* pulls,
            UIntPtr arms,
            ulong seed,
            ulong position,
            UIntPtr* arm,
            UIntPtr* leader,
            byte* error,
            UIntPtr errorSize);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_best_arm(
            RewardLaw rewards,
            double sigma,
            double* means,
            ulong* pulls,
            UIntPtr arms,
            double delta,
            NativeVerdict* verdict,
            byte* error,
            UIntPtr errorSize);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_abstain(
            double* maxP,
            double* ratios,
            UIntPtr rows,
            double cIn,
            double cOut,
            byte* rejects,
            byte* error,
            UIntPtr errorSize);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_calibration_error(
            double* probabilities,
            uint* ranks,
            UIntPtr samples,
            UIntPtr top,
            UIntPtr bins,
            double level,
            uint resamples,
            ulong seed,
            NativeCalibration* calibration,
            byte* error,
            UIntPtr errorSize);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_distortion(
            double* logKept, UIntPtr tokens, double* distortion, byte* error, UIntPtr errorSize);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_distortion_of_logprobs(
            double* decoded, double* model, UIntPtr tokens, double* distortion, byte* error, UIntPtr errorSize);
    }

    // The structs of bregman_decisions.h with the same names of fields, so that a test can compare the offsets.
#pragma warning disable 649, 169

    /// <summary>bregman_gate_options</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeGateOptions
    {
        internal uint struct_size;
        internal GateConvention convention;
        internal UIntPtr experts;
        internal UIntPtr top_k;
        internal UIntPtr groups;
        internal UIntPtr top_groups;
        internal double scale;
    }

    /// <summary>bregman_arm_options</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeArmOptions
    {
        internal uint struct_size;
        internal ArmRule rule;
        internal RewardLaw rewards;
        internal uint redraws;
        internal double sigma;
        internal double beta;
    }

    /// <summary>bregman_verdict</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeVerdict
    {
        internal uint struct_size;
        internal uint stop;
        internal UIntPtr best;
        internal double statistic;
        internal double threshold;
    }

    /// <summary>bregman_calibration</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeCalibration
    {
        internal uint struct_size;
        internal uint reserved;
        internal UIntPtr cells;
        internal double squared_error;
        internal double variance;
        internal double lower;
        internal double upper;
        internal double p_value;
    }
#pragma warning restore 649, 169
}
