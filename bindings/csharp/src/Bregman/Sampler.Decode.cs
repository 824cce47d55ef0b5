using System;
using Bregman.Interop;

namespace Bregman
{
    public sealed unsafe partial class Sampler
    {
        /// <summary>Decodes one row of logits into a token and advances the random position by one.</summary>
        /// <param name="logits">One logit for each token of the vocabulary. Read only.</param>
        /// <param name="flags">What to do in addition. Default: nothing; the token is not added to the history.</param>
        /// <param name="mask">
        /// Null, or words in which bit t % 32 of word t / 32 is set if token t is allowed; tokens beyond the last word are
        /// banned. Default: null.
        /// </param>
        /// <returns>The token, its probability and the figures that were requested.</returns>
        /// <exception cref="ArgumentException">The logits are null or empty, or the mask is empty.</exception>
        /// <exception cref="BregmanException">
        /// <see cref="Status.InvalidLogits"/> (NaN, +infinity), <see cref="Status.EmptySupport"/> (every logit is masked or
        /// -infinity), <see cref="Status.NoConvergence"/> (a generator of the caller), <see cref="Status.Unsupported"/> (the
        /// chain does not end with a drawing stage), <see cref="Status.InvalidArgument"/> (unknown flags, or the sampler is in
        /// use).
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

        /// <summary>Decodes one row of 16-bit logits into a token and advances the random position by one.</summary>
        /// <param name="logits">The bits of one logit for each token of the vocabulary. Read only.</param>
        /// <param name="format"><see cref="LogitFormat.F16"/> or <see cref="LogitFormat.BF16"/>.</param>
        /// <param name="flags">What to do in addition.</param>
        /// <param name="mask">Null, or a mask with a bit for each token.</param>
        /// <returns>The token, its probability and the figures that were requested.</returns>
        /// <exception cref="ArgumentException">
        /// The logits are null or empty, the mask is empty, or the format is not one of 16 bits.
        /// </exception>
        /// <exception cref="BregmanException">As for <see cref="Decode(float[], DecodeFlags, uint[])"/>.</exception>
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

        /// <summary>Decodes one row of logits in pinned or native memory, such as an engine's.</summary>
        /// <param name="logits">The first of <paramref name="vocab"/> logits, aligned to their size. Read only.</param>
        /// <param name="format">Their format.</param>
        /// <param name="vocab">Number of logits, at least 1.</param>
        /// <param name="flags">What to do in addition.</param>
        /// <param name="mask">Null, or the first of <paramref name="maskWords"/> words with a bit for each token.</param>
        /// <param name="maskWords">Number of words, at least 1; ignored without a mask.</param>
        /// <returns>The token, its probability and the figures that were requested.</returns>
        /// <exception cref="BregmanException">
        /// As for <see cref="Decode(float[], DecodeFlags, uint[])"/>; <see cref="Status.InvalidArgument"/> also for invalid
        /// pointers and lengths.
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
        /// Decodes one row as <see cref="Decode(float[], DecodeFlags, uint[])"/> does, without exceptions for errors of the
        /// row.
        /// </summary>
        /// <param name="logits">One logit for each token of the vocabulary. Read only.</param>
        /// <param name="result">The token, or the status; the message is <see cref="LastError"/>.</param>
        /// <param name="flags">What to do in addition.</param>
        /// <param name="mask">Null, or a mask with a bit for each token.</param>
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

        /// <summary>Decodes one row in pinned or native memory, without exceptions for errors of the row.</summary>
        /// <param name="logits">The first of <paramref name="vocab"/> logits, aligned to their size. Read only.</param>
        /// <param name="format">Their format.</param>
        /// <param name="vocab">Number of logits, at least 1.</param>
        /// <param name="result">The token, or the status; the message is <see cref="LastError"/>.</param>
        /// <param name="flags">What to do in addition.</param>
        /// <param name="mask">Null, or the first of <paramref name="maskWords"/> words with a bit for each token.</param>
        /// <param name="maskWords">Number of words, at least 1; ignored without a mask.</param>
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
                // bregman_decode has no flags and no mask: decodes a batch of one row.
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

        // Sign-extended, a negative number is larger than any length, and the native library refuses it by name.
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
                throw new ArgumentException("the format of 16-bit logits is F16 or BF16, not " + format, nameof(format));
            }
        }
    }
}
