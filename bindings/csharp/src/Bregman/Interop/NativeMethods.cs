using System;
using System.Runtime.InteropServices;

namespace Bregman.Interop
{
    /// <summary>The functions of bregman.h. All signatures are blittable except for safe handles.</summary>
    internal static unsafe class NativeMethods
    {
        /// <summary>libbregman.so, libbregman.dylib or bregman.dll: <see cref="Loader"/> finds it.</summary>
        internal const string Library = "bregman";

        /// <summary>BREGMAN_ABI_VERSION of the header of these declarations.</summary>
        internal const uint AbiVersion = 1;

        private const CallingConvention C = CallingConvention.Cdecl;

        [DllImport(Library, CallingConvention = C)]
        internal static extern uint bregman_abi_version();

        [DllImport(Library, CallingConvention = C)]
        internal static extern byte* bregman_version();

        [DllImport(Library, CallingConvention = C)]
        internal static extern byte* bregman_simd_level();

        [DllImport(Library, CallingConvention = C)]
        internal static extern byte* bregman_status_text(uint status);

        [DllImport(Library, CallingConvention = C)]
        internal static extern UIntPtr bregman_stage_count();

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_stage_info(UIntPtr index, ref NativeStage stage);

        [DllImport(Library, CallingConvention = C)]
        internal static extern UIntPtr bregman_macro_count();

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_macro_info(UIntPtr index, ref NativeStage macro);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_sampler_new(
            byte* chain, ulong seed, out SamplerHandle sampler, byte* error, UIntPtr errorSize);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_watermark_score(
            byte* stage, int* tokens, UIntPtr n, ref NativeWatermark score, byte* error, UIntPtr errorSize);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_sampler_new_with_generators(
            byte* chain,
            ulong seed,
            NativeGenerator* generators,
            UIntPtr n,
            out SamplerHandle sampler,
            byte* error,
            UIntPtr errorSize);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_sampler_clone(SamplerHandle sampler, out SamplerHandle clone);

        [DllImport(Library, CallingConvention = C)]
        internal static extern void bregman_sampler_free(IntPtr sampler);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_sampler_reset(SamplerHandle sampler);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_sampler_reseed(SamplerHandle sampler, ulong seed, ulong position);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_sampler_accept(SamplerHandle sampler, int* tokens, UIntPtr n);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_sampler_set_logit_bias(
            SamplerHandle sampler, int* ids, float* bias, UIntPtr n);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_sampler_set_mask(SamplerHandle sampler, uint* words, UIntPtr n);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_sampler_set_prompt_length(SamplerHandle sampler, UIntPtr n);

        [DllImport(Library, CallingConvention = C)]
        internal static extern UIntPtr bregman_sampler_describe(SamplerHandle sampler, byte* text, UIntPtr size);

        [DllImport(Library, CallingConvention = C)]
        internal static extern byte* bregman_sampler_error(SamplerHandle sampler);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_decode(
            SamplerHandle sampler, float* logits, UIntPtr vocab, DecodeResult* result);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_decode_batch(IntPtr* samplers, NativeBatch* batch, DecodeResult* results);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_decode_batch_answers(
            IntPtr* samplers, NativeBatch* batch, DecodeResult* results, NativeAnswers* answers);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_distribution(
            SamplerHandle sampler,
            float* logits,
            UIntPtr vocab,
            int* ids,
            float* probabilities,
            UIntPtr capacity,
            UIntPtr* length);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_process(SamplerHandle sampler, float* logits, UIntPtr vocab);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_draw_many(
            SamplerHandle sampler,
            float* logits,
            UIntPtr vocab,
            UIntPtr n,
            int* ids,
            float* logProbabilities,
            float* scores,
            UIntPtr* length);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_top_logprobs(
            SamplerHandle sampler,
            float* logits,
            UIntPtr vocab,
            LogProbabilitySource source,
            UIntPtr n,
            int* ids,
            float* logProbabilities,
            UIntPtr* length);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_sampler_save(
            SamplerHandle sampler, void* bytes, UIntPtr capacity, UIntPtr* length);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_sampler_load(
            void* bytes,
            UIntPtr length,
            NativeGenerator* generators,
            UIntPtr n,
            out SamplerHandle sampler,
            byte* error,
            UIntPtr errorSize);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_sampler_rewind(SamplerHandle sampler, UIntPtr n);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_sampler_where(
            SamplerHandle sampler, ulong* seed, ulong* position, UIntPtr* history, UIntPtr* prompt);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_sampler_history(
            SamplerHandle sampler, int* tokens, UIntPtr capacity, UIntPtr* length);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_verify(
            IntPtr* samplers,
            NativeDraft* drafts,
            UIntPtr sequences,
            NativeBatch* rows,
            uint* accepted,
            int* path,
            DecodeResult* results);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_model_answers(NativeBatch* batch, NativeAnswers* answers);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_reduce(
            NativeBatch* batch,
            int first,
            UIntPtr n,
            float temperature,
            int* ids,
            float* logits,
            double* logRest,
            float* bound);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_distribution_batch(
            IntPtr* samplers, NativeBatch* batch, UIntPtr* offsets, int* ids, float* probabilities, UIntPtr capacity);

        [DllImport(Library, CallingConvention = C)]
        internal static extern Status bregman_apply(SamplerHandle sampler, CandidateArray* candidates);
    }
}
