using System;
using System.Buffers;
using System.Runtime.InteropServices;

// The parts of LLamaSharp that the adapters use, declared with the same names, signatures and layouts, so that the adapters
// are compiled and run without the package. LLamaSharp's own tests compare these layouts with llama.h.
namespace LLama.Native
{
    /// <summary>llama_token</summary>
    public readonly struct LLamaToken
    {
        private readonly int value;

        private LLamaToken(int value)
        {
            this.value = value;
        }

        public static explicit operator int(LLamaToken token)
        {
            return token.value;
        }

        public static implicit operator LLamaToken(int value)
        {
            return new LLamaToken(value);
        }
    }

    /// <summary>llama_token_data</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct LLamaTokenData
    {
        public LLamaToken ID;
        public float Logit;
        public float Probability;
    }

    /// <summary>A managed array of candidates.</summary>
    public struct LLamaTokenDataArray
    {
        public readonly Memory<LLamaTokenData> Data;
        public bool Sorted;

        public LLamaTokenDataArray(Memory<LLamaTokenData> data)
        {
            Data = data;
            Sorted = false;
        }
    }

    /// <summary>llama_token_data_array</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct LLamaTokenDataArrayNative
    {
        private LLamaTokenData* data;
        private ulong size;
        private long selected;
        private sbyte sorted;

        public ulong Size => size;

        public long Selected => selected;

        public bool Sorted => sorted != 0;

        public static MemoryHandle Create(LLamaTokenDataArray array, out LLamaTokenDataArrayNative native)
        {
            var handle = array.Data.Pin();
            native = new LLamaTokenDataArrayNative
            {
                data = (LLamaTokenData*)handle.Pointer,
                size = (ulong)array.Data.Length,
                selected = -1,
                sorted = (sbyte)(array.Sorted ? 1 : 0),
            };
            return handle;
        }
    }

    /// <summary>A context that has computed its logits.</summary>
    public sealed class SafeLLamaContextHandle
    {
        private readonly float[][] rows;

        public SafeLLamaContextHandle(params float[][] rows)
        {
            this.rows = rows;
        }

        public Span<float> GetLogitsIth(int index)
        {
            return rows[index];
        }
    }

    public interface ICustomSampler : IDisposable
    {
        string Name { get; }

        void Apply(ref LLamaTokenDataArrayNative tokenData);

        void Accept(LLamaToken token);

        void Reset();

        ICustomSampler Clone();
    }
}

namespace LLama.Sampling
{
    using LLama.Native;

    public interface ISamplingPipeline : IDisposable
    {
        LLamaToken Sample(SafeLLamaContextHandle ctx, int index);

        void Apply(SafeLLamaContextHandle ctx, LLamaTokenDataArray data);

        void Reset();

        void Accept(LLamaToken token);
    }
}
