using System;
using System.Runtime.InteropServices;

namespace Bregman.Interop
{
    // The structs of bregman.h with the same names of fields, so that a test can compare the offsets.
#pragma warning disable 649, 169

    /// <summary>bregman_batch</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeBatch
    {
        internal uint struct_size;
        internal LogitFormat dtype;
        internal void* logits;
        internal UIntPtr rows;
        internal UIntPtr vocab;
        internal UIntPtr row_stride;
        internal uint* mask;
        internal UIntPtr mask_stride;
        internal DecodeFlags flags;
        internal uint threads;
        internal int* ids;
        internal uint* lengths;
        internal double* log_rest;
        internal float* bound;
        internal float rest_temperature;
        internal UIntPtr* row_index;
    }

    /// <summary>bregman_draft</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeDraft
    {
        internal uint struct_size;
        internal DraftRule rule;
        internal int* tokens;
        internal UIntPtr n;
        internal int* parents;
        internal UIntPtr* q_offsets;
        internal int* q_ids;
        internal float* q_probs;
    }

    /// <summary>bregman_answers</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeAnswers
    {
        internal uint struct_size;
        internal LogProbabilitySource source;
        internal float* logprobs;
        internal uint* ranks;
        internal UIntPtr top;
        internal UIntPtr top_stride;
        internal int* top_ids;
        internal float* top_logprobs;
        internal UIntPtr kept;
        internal UIntPtr kept_stride;
        internal int* kept_ids;
        internal uint* kept_mask;
        internal UIntPtr kept_mask_stride;
        internal UIntPtr given;
        internal UIntPtr given_stride;
        internal int* given_ids;
        internal float* given_logprobs;
        internal uint* given_ranks;
        internal float* other_logprobs;
        internal float* other_top_logprobs;
        internal UIntPtr* kept_offsets;
    }

    /// <summary>bregman_watermark</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeWatermark
    {
        internal uint struct_size;
        internal uint reserved;
        internal double score;
        internal double p_value;
        internal UIntPtr counted;
    }

    /// <summary>bregman_stage</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeStage
    {
        internal uint struct_size;
        internal uint draws;
        internal uint learns;
        internal uint reserved;
        internal byte* name;
        internal byte* aliases;
        internal byte* summary;
        internal byte* source;
        internal NativeParameter* parameters;
        internal UIntPtr parameter_count;
        internal UIntPtr parameter_size;
    }

    /// <summary>bregman_parameter</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeParameter
    {
        internal byte* name;
        internal byte* aliases;
        internal byte* summary;
        internal byte* default_value;
        internal byte* choices;
        internal double min;
        internal double max;
        internal ParameterKind kind;
        internal uint min_excluded;
        internal uint required;
        internal uint group;
    }

    /// <summary>bregman_generator</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal unsafe struct NativeGenerator
    {
        internal uint struct_size;
        internal uint reserved;
        internal byte* name;
        internal void* user;
        internal IntPtr phi;
        internal IntPtr f;
        internal IntPtr f_inverse;
        internal IntPtr f_prime;
    }
#pragma warning restore 649, 169
}
