using System;
using Bregman.Interop;

namespace Bregman
{
    public sealed unsafe partial class Sampler
    {
        /// <summary>Decodes one row of logits into a token and advances the random position by one.</summary>
        /// <param name="logits">One logit for each token of the vocabulary. Only read.</param>
        /// <param name="flags">What to do besides. Default: nothing, and nothing is accepted into the history.</param>
        /// <param name="mask">
        /// Null, or words in which token t is bit t % 32 of word t / 32 and a set bit allows it; tokens beyond them are banned.
        /// Default: null.
        /// </param>
        /// <returns>The token and what is known of it.</returns>
        /// <exception cref="ArgumentException">The logits are null or empty, or the mask is empty.</exception>
        /// <exception cref="BregmanException">
        /// <see cref="Status.InvalidLogits"/> (NaN, +infinity), <see cref="Status.EmptySupport"/> (all masked or -infinity),
        /// <see cref="Status.NoConvergence"/> (a user's generator), <see cref="Status.Unsupported"/> (the chain has no drawing
        /// stage), <see cref="Status.InvalidArgument"/> (unknown flags, or the sampler is in use).
        /// </exception>
        public DecodeResult Decode(float[] logits, DecodeFlags flags = DecodeFlags.None, uint[] mask = null)
        {
            Row(logits, mask);
            fixed (float* pointer = logits)
            fixed (uint* words = mask)
            {
                return Decode(pointer, LogitFormat.F32, logits.Length, flags, words, Length(mask));
            }
        }

        /// <summary>Decodes one row of half precision logits into a token and advances the random position by one.</summary>
        /// <param name="logits">The bits of one logit for each token of the vocabulary. Only read.</param>
        /// <param name="format"><see cref="LogitFormat.F16"/> or <see cref="LogitFormat.BF16"/>.</param>
        /// <param name="flags">What to do besides.</param>
        /// <param name="mask">Null, or a bit for each token.</param>
        /// <returns>The token and what is known of it.</returns>
        /// <exception cref="ArgumentException">
        /// The logits are null or empty, the mask is empty, or the format is not one of 16 bits.
        /// </exception>
        /// <exception cref="BregmanException">As of <see cref="Decode(float[], DecodeFlags, uint[])"/>.</exception>
        public DecodeResult Decode(
            ushort[] logits, LogitFormat format, DecodeFlags flags = DecodeFlags.None, uint[] mask = null)
        {
            Row(logits, mask);
            SixteenBits(format);
            fixed (ushort* pointer = logits)
            fixed (uint* words = mask)
            {
                return Decode(pointer, format, logits.Length, flags, words, Length(mask));
            }
        }

        /// <summary>Decodes one row of logits in memory that does not move, such as an engine's own.</summary>
        /// <param name="logits">The first of <paramref name="vocab"/> logits, aligned to their size. Only read.</param>
        /// <param name="format">Their number format.</param>
        /// <param name="vocab">Number of logits, at least 1.</param>
        /// <param name="flags">What to do besides.</param>
        /// <param name="mask">Null, or the first of <paramref name="maskWords"/> words of a bit for each token.</param>
        /// <param name="maskWords">Number of words, at least 1; unused without a mask.</param>
        /// <returns>The token and what is known of it.</returns>
        /// <exception cref="BregmanException">
        /// As of <see cref="Decode(float[], DecodeFlags, uint[])"/>; <see cref="Status.InvalidArgument"/> also for pointers and
        /// lengths that cannot be right.
        /// </exception>
        public DecodeResult Decode(
            void* logits,
            LogitFormat format,
            int vocab,
            DecodeFlags flags = DecodeFlags.None,
            uint* mask = null,
            int maskWords = 0)
        {
            Enter();
            try
            {
                Check(DecodeInside(logits, format, vocab, flags, mask, maskWords, out var result));
                return result;
            }
            finally
            {
                Leave();
            }
        }

        /// <summary>
        /// Decodes one row as <see cref="Decode(float[], DecodeFlags, uint[])"/> does, but throws no exception for what the row
        /// itself may bring about.
        /// </summary>
        /// <param name="logits">One logit for each token of the vocabulary. Only read.</param>
        /// <param name="result">The token; if there is none, the status, whose text is <see cref="LastError"/>.</param>
        /// <param name="flags">What to do besides.</param>
        /// <param name="mask">Null, or a bit for each token.</param>
        /// <returns>Whether there is a token.</returns>
        /// <exception cref="ArgumentException">The logits are null or empty, or the mask is empty.</exception>
        /// <exception cref="BregmanException">The sampler is in use.</exception>
        public bool TryDecode(
            float[] logits, out DecodeResult result, DecodeFlags flags = DecodeFlags.None, uint[] mask = null)
        {
            Row(logits, mask);
            fixed (float* pointer = logits)
            fixed (uint* words = mask)
            {
                return TryDecode(pointer, LogitFormat.F32, logits.Length, out result, flags, words, Length(mask));
            }
        }

        /// <summary>Decodes one row in memory that does not move, without exceptions for what the row may bring about.</summary>
        /// <param name="logits">The first of <paramref name="vocab"/> logits, aligned to their size. Only read.</param>
        /// <param name="format">Their number format.</param>
        /// <param name="vocab">Number of logits, at least 1.</param>
        /// <param name="result">The token; if there is none, the status, whose text is <see cref="LastError"/>.</param>
        /// <param name="flags">What to do besides.</param>
        /// <param name="mask">Null, or the first of <paramref name="maskWords"/> words of a bit for each token.</param>
        /// <param name="maskWords">Number of words, at least 1; unused without a mask.</param>
        /// <returns>Whether there is a token.</returns>
        /// <exception cref="BregmanException">The sampler is in use.</exception>
        public bool TryDecode(
            void* logits,
            LogitFormat format,
            int vocab,
            out DecodeResult result,
            DecodeFlags flags = DecodeFlags.None,
            uint* mask = null,
            int maskWords = 0)
        {
            Enter();
            try
            {
                return DecodeInside(logits, format, vocab, flags, mask, maskWords, out result) == Status.Ok;
            }
            finally
            {
                Leave();
            }
        }

        private Status DecodeInside(
            void* logits,
            LogitFormat format,
            int vocab,
            DecodeFlags flags,
            uint* mask,
            int maskWords,
            out DecodeResult result)
        {
            var decoded = default(DecodeResult);
            Status status;
            if (format == LogitFormat.F32 && flags == DecodeFlags.None && mask == null)
            {
                status = NativeMethods.bregman_decode(handle, (float*)logits, Unsigned(vocab), &decoded);
            }
            else
            {
                // What the plain call has no arguments for is a batch of one row.
                var batch = new NativeBatch
                {
                    struct_size = (uint)sizeof(NativeBatch),
                    dtype = format,
                    logits = logits,
                    rows = (UIntPtr)1,
                    vocab = Unsigned(vocab),
                    row_stride = Unsigned(vocab),
                    mask = mask,
                    mask_stride = Unsigned(maskWords),
                    flags = flags,
                };
                status = DecodeOne(&batch, &decoded);
            }
            result = decoded;
            return status;
        }

        private Status DecodeOne(NativeBatch* batch, DecodeResult* result)
        {
            var held = false;
            try
            {
                handle.DangerousAddRef(ref held);
                var sampler = handle.DangerousGetHandle();
                return NativeMethods.bregman_decode_batch(&sampler, batch, result);
            }
            finally
            {
                if (held)
                {
                    handle.DangerousRelease();
                }
            }
        }

        // A negative number is one that the native library refuses and names: sign-extended it is larger than any length.
        private static UIntPtr Unsigned(int number)
        {
            return (UIntPtr)unchecked((void*)(IntPtr)number);
        }

        private static int Length(Array array)
        {
            return array == null ? 0 : array.Length;
        }

        private static void Row(Array logits, Array mask)
        {
            NotNull(logits, nameof(logits));
            Row(logits.Length, mask == null ? 1 : mask.Length);
        }

        private static void Row(int logits, int maskWords)
        {
            if (logits == 0)
            {
                throw new ArgumentException("a row has at least one logit", nameof(logits));
            }
            if (maskWords == 0)
            {
                throw new ArgumentException("a mask has at least one word", "mask");
            }
        }

        private static void SixteenBits(LogitFormat format)
        {
            if (format != LogitFormat.F16 && format != LogitFormat.BF16)
            {
                throw new ArgumentException("16-bit logits are F16 or BF16, not " + format, nameof(format));
            }
        }
    }
}
