#if NETCOREAPP3_0_OR_GREATER
using System;
using Bregman.Interop;

namespace Bregman
{
    // The calls on spans, for runtimes that have them.
    public sealed unsafe partial class Sampler
    {
        /// <summary>Decodes one row as <see cref="Decode(float[], DecodeFlags, uint[])"/> does.</summary>
        /// <param name="logits">One logit for each token of the vocabulary. Read only.</param>
        /// <param name="flags">What to do in addition.</param>
        /// <param name="mask">A mask with a bit for each token; empty for none.</param>
        /// <returns>The token, its probability and the figures that were requested.</returns>
        /// <exception cref="ArgumentException">The logits are empty.</exception>
        /// <exception cref="BregmanException">As for an array.</exception>
        public DecodeResult Decode(
            ReadOnlySpan<float> logits, DecodeFlags flags = DecodeFlags.None, ReadOnlySpan<uint> mask = default)
        {
            Row(logits.Length, 1);
            fixed (float* pointer = logits)
            fixed (uint* words = mask)
            {
                return Decode(pointer, LogitFormat.F32, logits.Length, flags, words, mask.Length);
            }
        }

        /// <summary>Decodes one row of 16-bit logits.</summary>
        /// <param name="logits">The bits of one logit for each token of the vocabulary. Read only.</param>
        /// <param name="format"><see cref="LogitFormat.F16"/> or <see cref="LogitFormat.BF16"/>.</param>
        /// <param name="flags">What to do in addition.</param>
        /// <param name="mask">A mask with a bit for each token; empty for none.</param>
        /// <returns>The token, its probability and the figures that were requested.</returns>
        /// <exception cref="ArgumentException">The logits are empty, or the format is not one of 16 bits.</exception>
        /// <exception cref="BregmanException">As for an array.</exception>
        public DecodeResult Decode(
            ReadOnlySpan<ushort> logits,
            LogitFormat format,
            DecodeFlags flags = DecodeFlags.None,
            ReadOnlySpan<uint> mask = default)
        {
            Row(logits.Length, 1);
            SixteenBits(format);
            fixed (ushort* pointer = logits)
            fixed (uint* words = mask)
            {
                return Decode(pointer, format, logits.Length, flags, words, mask.Length);
            }
        }

        /// <summary>Decodes one row, without exceptions for errors of the row.</summary>
        /// <param name="logits">One logit for each token of the vocabulary. Read only.</param>
        /// <param name="result">The token, or the status; the message is <see cref="LastError"/>.</param>
        /// <param name="flags">What to do in addition.</param>
        /// <param name="mask">A mask with a bit for each token; empty for none.</param>
        /// <returns>Whether there is a token.</returns>
        /// <exception cref="ArgumentException">The logits are empty.</exception>
        /// <exception cref="BregmanException">The sampler is in use.</exception>
        public bool TryDecode(
            ReadOnlySpan<float> logits,
            out DecodeResult result,
            DecodeFlags flags = DecodeFlags.None,
            ReadOnlySpan<uint> mask = default)
        {
            Row(logits.Length, 1);
            fixed (float* pointer = logits)
            fixed (uint* words = mask)
            {
                return TryDecode(pointer, LogitFormat.F32, logits.Length, out result, flags, words, mask.Length);
            }
        }

        /// <summary>
        /// Decodes rows as <see cref="DecodeBatch(Sampler[], float[], int, DecodeResult[], BatchOptions)"/> does.
        /// </summary>
        /// <param name="samplers">One per row.</param>
        /// <param name="logits">Consecutive rows. Read only.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="results">Receives the result of each row, also if the call throws because a row failed.</param>
        /// <param name="options">Stride, mask, flags, threads and more answers.</param>
        /// <exception cref="ArgumentException">As for an array.</exception>
        /// <exception cref="BregmanException">A row has no token.</exception>
        public static void DecodeBatch(
            Sampler[] samplers,
            ReadOnlySpan<float> logits,
            int vocab,
            Span<DecodeResult> results,
            BatchOptions options = null)
        {
            fixed (float* from = logits)
            fixed (DecodeResult* to = results)
            {
                Run(samplers, from, logits.Length, LogitFormat.F32, vocab, to, results.Length, options, true);
            }
        }

        /// <summary>Decodes rows of 16-bit logits.</summary>
        /// <param name="samplers">One per row.</param>
        /// <param name="logits">The bits of consecutive rows. Read only.</param>
        /// <param name="format"><see cref="LogitFormat.F16"/> or <see cref="LogitFormat.BF16"/>.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="results">Receives the result of each row, also if the call throws because a row failed.</param>
        /// <param name="options">Stride, mask, flags, threads and more answers.</param>
        /// <exception cref="ArgumentException">As for an array.</exception>
        /// <exception cref="BregmanException">A row has no token.</exception>
        public static void DecodeBatch(
            Sampler[] samplers,
            ReadOnlySpan<ushort> logits,
            LogitFormat format,
            int vocab,
            Span<DecodeResult> results,
            BatchOptions options = null)
        {
            SixteenBits(format);
            fixed (ushort* from = logits)
            fixed (DecodeResult* to = results)
            {
                Run(samplers, from, logits.Length, format, vocab, to, results.Length, options, true);
            }
        }

        /// <summary>Decodes rows, without exceptions for errors of rows.</summary>
        /// <param name="samplers">One per row.</param>
        /// <param name="logits">Consecutive rows. Read only.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="results">Receives the token or the status of each row; the message is on its sampler.</param>
        /// <param name="options">Stride, mask, flags, threads and more answers.</param>
        /// <returns>Whether every row has a token.</returns>
        /// <exception cref="ArgumentException">As for an array.</exception>
        public static bool TryDecodeBatch(
            Sampler[] samplers,
            ReadOnlySpan<float> logits,
            int vocab,
            Span<DecodeResult> results,
            BatchOptions options = null)
        {
            fixed (float* from = logits)
            fixed (DecodeResult* to = results)
            {
                return Run(samplers, from, logits.Length, LogitFormat.F32, vocab, to, results.Length, options, false);
            }
        }

        /// <summary>The decoded distribution of one row, as <see cref="Distribution(float[])"/>.</summary>
        /// <param name="logits">One logit for each token of the vocabulary. Read only.</param>
        /// <returns>The tokens in descending order of probability.</returns>
        /// <exception cref="ArgumentException">The logits are empty.</exception>
        /// <exception cref="BregmanException">As for an array.</exception>
        public TokenProbability[] Distribution(ReadOnlySpan<float> logits)
        {
            Row(logits.Length, 1);
            fixed (float* pointer = logits)
            {
                return Distribution(pointer, logits.Length);
            }
        }

        /// <summary>Writes the decoded distribution of one row.</summary>
        /// <param name="logits">One logit for each token of the vocabulary. Read only.</param>
        /// <param name="ids">Receives the tokens in descending order of probability.</param>
        /// <param name="probabilities">Receives the probability of each; as long as <paramref name="ids"/>.</param>
        /// <param name="length">The number of tokens, also if the spans are too short.</param>
        /// <returns>Whether the spans are long enough; if not, they are unchanged.</returns>
        /// <exception cref="ArgumentException">The logits are empty, or the other spans have different lengths.</exception>
        /// <exception cref="BregmanException">As for an array.</exception>
        public bool TryDistribution(
            ReadOnlySpan<float> logits, Span<int> ids, Span<float> probabilities, out int length)
        {
            Row(logits.Length, 1);
            SameLength(ids.Length, probabilities.Length, nameof(probabilities));
            fixed (float* pointer = logits)
            fixed (int* idPointer = ids)
            fixed (float* probabilityPointer = probabilities)
            {
                return TryDistribution(pointer, logits.Length, idPointer, probabilityPointer, ids.Length, out length);
            }
        }

        /// <summary>Draws different tokens from one row, as <see cref="DrawMany(float[], int)"/> does.</summary>
        /// <param name="logits">One logit for each token of the vocabulary. Read only.</param>
        /// <param name="count">Number of tokens, at least 1.</param>
        /// <returns>The tokens in the order of the draw.</returns>
        /// <exception cref="ArgumentException">The logits are empty, or the count is below 1.</exception>
        /// <exception cref="BregmanException">As for an array.</exception>
        public DrawnToken[] DrawMany(ReadOnlySpan<float> logits, int count)
        {
            Row(logits.Length, 1);
            fixed (float* pointer = logits)
            {
                return DrawMany(pointer, logits.Length, count);
            }
        }

        /// <summary>Draws as many different tokens as the spans hold.</summary>
        /// <param name="logits">One logit for each token of the vocabulary. Read only.</param>
        /// <param name="ids">Receives the tokens in the order of the draw; at least one element.</param>
        /// <param name="logProbabilities">Receives ln p of each; as long as <paramref name="ids"/>.</param>
        /// <param name="scores">
        /// Empty, or receives ln p plus the Gumbel noise of each; as long as <paramref name="ids"/>.
        /// </param>
        /// <returns>The number of tokens. The other elements are unchanged.</returns>
        /// <exception cref="ArgumentException">
        /// The logits or the ids are empty, the other spans have different lengths, or two share memory.
        /// </exception>
        /// <exception cref="BregmanException">As for an array.</exception>
        public int DrawMany(
            ReadOnlySpan<float> logits, Span<int> ids, Span<float> logProbabilities, Span<float> scores = default)
        {
            Row(logits.Length, 1);
            Several(ids.Length, logProbabilities.Length, scores.IsEmpty ? ids.Length : scores.Length);
            fixed (int* idPointer = ids)
            fixed (float* from = logits, pointer = logProbabilities, scorePointer = scores)
            {
                return DrawMany(from, logits.Length, ids.Length, idPointer, pointer, scorePointer);
            }
        }

        /// <summary>
        /// The most likely tokens of one row, as
        /// <see cref="TopLogProbabilities(float[], int, LogProbabilitySource)"/>.
        /// </summary>
        /// <param name="logits">One logit for each token of the vocabulary. Read only.</param>
        /// <param name="count">Number of tokens, at least 1.</param>
        /// <param name="source">Source of the probabilities.</param>
        /// <returns>The tokens in descending order of probability.</returns>
        /// <exception cref="ArgumentException">The logits are empty, or the count is below 1.</exception>
        /// <exception cref="BregmanException">As for an array.</exception>
        public TokenLogProbability[] TopLogProbabilities(
            ReadOnlySpan<float> logits, int count, LogProbabilitySource source = LogProbabilitySource.OfModel)
        {
            Row(logits.Length, 1);
            fixed (float* pointer = logits)
            {
                return TopLogProbabilities(pointer, logits.Length, count, source);
            }
        }

        /// <summary>Writes as many of the most likely tokens of one row as the spans hold.</summary>
        /// <param name="logits">One logit for each token of the vocabulary. Read only.</param>
        /// <param name="ids">Receives the tokens, then -1 if there are fewer. At least one element.</param>
        /// <param name="logProbabilities">
        /// Receives ln p of each, then -infinity if there are fewer; as long as <paramref name="ids"/>.
        /// </param>
        /// <param name="source">Source of the probabilities.</param>
        /// <returns>The number of tokens.</returns>
        /// <exception cref="ArgumentException">
        /// The logits or the ids are empty, the other spans have different lengths, or two share memory.
        /// </exception>
        /// <exception cref="BregmanException">As for an array.</exception>
        public int TopLogProbabilities(
            ReadOnlySpan<float> logits,
            Span<int> ids,
            Span<float> logProbabilities,
            LogProbabilitySource source = LogProbabilitySource.OfModel)
        {
            Row(logits.Length, 1);
            Several(ids.Length, logProbabilities.Length, ids.Length);
            fixed (int* idPointer = ids)
            fixed (float* from = logits, pointer = logProbabilities)
            {
                return TopLogProbabilities(from, logits.Length, source, ids.Length, idPointer, pointer);
            }
        }

        /// <summary>Replaces the logits of one row by ln p, as <see cref="Process(float[])"/> does.</summary>
        /// <param name="logits">One logit for each token of the vocabulary, changed in place.</param>
        /// <exception cref="ArgumentException">The logits are empty.</exception>
        /// <exception cref="BregmanException">As for an array.</exception>
        public void Process(Span<float> logits)
        {
            Row(logits.Length, 1);
            fixed (float* pointer = logits)
            {
                Process(pointer, logits.Length);
            }
        }

        /// <summary>Applies the chain to candidates in place, as <see cref="Apply(Candidate[])"/> does.</summary>
        /// <param name="candidates">At least one.</param>
        /// <returns>The number of kept candidates, and the position of the selected one.</returns>
        /// <exception cref="BregmanException">As for an array.</exception>
        public Applied Apply(Span<Candidate> candidates)
        {
            fixed (Candidate* data = candidates)
            {
                return Apply(data, candidates.Length);
            }
        }

        /// <summary>Appends tokens to the history, such as those of the prompt.</summary>
        /// <param name="tokens">The tokens in their order; none negative.</param>
        /// <exception cref="BregmanException">
        /// <see cref="Status.InvalidArgument"/>: a token is negative; then none is accepted.
        /// </exception>
        public void Accept(ReadOnlySpan<int> tokens)
        {
            fixed (int* pointer = tokens)
            {
                Accept(pointer, tokens.Length);
            }
        }

        /// <summary>Allows only the tokens whose bit is set, as <see cref="SetMask(uint[])"/> does.</summary>
        /// <param name="words">Copied; empty removes the mask.</param>
        public void SetMask(ReadOnlySpan<uint> words)
        {
            fixed (uint* pointer = words)
            {
                SetMask(pointer, words.Length);
            }
        }

        /// <summary>Replaces the logit bias, as <see cref="SetLogitBias(int[], float[])"/> does.</summary>
        /// <param name="ids">Token ids, not negative and not repeated.</param>
        /// <param name="bias">A bias for each, neither NaN nor +infinity.</param>
        /// <exception cref="ArgumentException">The spans have different lengths.</exception>
        /// <exception cref="BregmanException">
        /// <see cref="Status.InvalidArgument"/>: an id or a bias is invalid; then the old bias stays.
        /// </exception>
        public void SetLogitBias(ReadOnlySpan<int> ids, ReadOnlySpan<float> bias)
        {
            SameLength(ids.Length, bias.Length, nameof(bias));
            fixed (int* idPointer = ids)
            fixed (float* biasPointer = bias)
            {
                SetLogitBias(idPointer, biasPointer, ids.Length);
            }
        }

        /// <summary>Writes the bytes of <see cref="Save()"/> to memory of the caller.</summary>
        /// <param name="state">Receives the bytes, if it is long enough.</param>
        /// <param name="length">Their number, also if there was no room for them.</param>
        /// <returns>Whether there was room.</returns>
        public bool TrySave(Span<byte> state, out int length)
        {
            Enter();
            try
            {
                UIntPtr needed;
                fixed (byte* pointer = state)
                {
                    var status = NativeMethods.bregman_sampler_save(handle, pointer, (UIntPtr)state.Length, &needed);
                    if (status != Status.BufferTooSmall)
                    {
                        Check(status);
                    }
                    length = (int)needed;
                    return status == Status.Ok;
                }
            }
            finally
            {
                Leave();
            }
        }

        /// <summary>Creates a sampler from the bytes of <see cref="Save()"/>.</summary>
        /// <param name="state">The bytes.</param>
        /// <param name="generators">At least those that the chain names; null or empty for none.</param>
        /// <returns>The sampler, which the caller disposes.</returns>
        /// <exception cref="ArgumentException">A generator is null.</exception>
        /// <exception cref="BregmanException">As for <see cref="Load(byte[], Generator[])"/>.</exception>
        public static Sampler Load(ReadOnlySpan<byte> state, params Generator[] generators)
        {
            fixed (byte* pointer = state)
            {
                return Load(pointer, state.Length, generators);
            }
        }
    }
}
#endif
