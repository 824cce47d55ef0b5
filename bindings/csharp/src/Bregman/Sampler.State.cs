using System;
using System.Collections.Generic;
using System.Text;
using Bregman.Interop;

namespace Bregman
{
    public sealed unsafe partial class Sampler
    {
        /// <summary>
        /// Appends a token to the history that stages such as penalties and dry look at. Tokens accepted before the first row
        /// are the prompt: see <see cref="SetPromptLength"/>.
        /// </summary>
        /// <param name="token">A token of the sequence; not negative.</param>
        /// <exception cref="BregmanException"><see cref="Status.InvalidArgument"/>: the token is negative.</exception>
        public void Accept(int token)
        {
            Accept(&token, 1);
        }

        /// <summary>Appends tokens to the history, such as those of the prompt.</summary>
        /// <param name="tokens">The tokens in their order; none negative.</param>
        /// <exception cref="BregmanException">
        /// <see cref="Status.InvalidArgument"/>: a token is negative; then none is accepted.
        /// </exception>
        public void Accept(int[] tokens)
        {
            NotNull(tokens, nameof(tokens));
            fixed (int* pointer = tokens)
            {
                Accept(pointer, tokens.Length);
            }
        }

        /// <summary>
        /// Sets the length of the prompt: the first tokens of the history are the prompt, the others output. Stages with
        /// scope=output look at the output only. For sequences that are resumed.
        /// </summary>
        /// <remarks>
        /// Without this call the prompt ends at the first row or candidate array that is decoded, applied or processed, or of
        /// which the decoded distribution is read, since creation or the last reset.
        /// </remarks>
        /// <param name="length">From 0 to the length of the history.</param>
        /// <exception cref="BregmanException">
        /// <see cref="Status.InvalidArgument"/>: the history is shorter; then the prompt is unchanged.
        /// </exception>
        public void SetPromptLength(int length)
        {
            Enter();
            try
            {
                Check(NativeMethods.bregman_sampler_set_prompt_length(handle, Unsigned(length)));
            }
            finally
            {
                Leave();
            }
        }

        /// <summary>
        /// Starts another sequence: the seed of creation, position 0, no history, and nothing learnt. The logit bias and the
        /// mask stay.
        /// </summary>
        public void Reset()
        {
            Enter();
            try
            {
                Check(NativeMethods.bregman_sampler_reset(handle));
            }
            finally
            {
                Leave();
            }
        }

        /// <summary>Continues with the random numbers of a seed at a position.</summary>
        /// <param name="seed">The seed.</param>
        /// <param name="position">
        /// Starts at 0; every row that is decoded and every array that is applied advances it by one. To resume a sequence
        /// elsewhere, use a saved state (<see cref="Save()"/>): this does not restore what stages that learn
        /// (<see cref="Stage.Learns"/>) have learnt.
        /// </param>
        public void Reseed(ulong seed, ulong position = 0)
        {
            Enter();
            try
            {
                Check(NativeMethods.bregman_sampler_reseed(handle, seed, position));
            }
            finally
            {
                Leave();
            }
        }

        /// <summary>
        /// Replaces the logit bias: <paramref name="bias"/>[i] is added to the logit of token <paramref name="ids"/>[i] before
        /// any stage, and -infinity bans the token. Empty arrays remove the bias.
        /// </summary>
        /// <param name="ids">
        /// Token ids, not negative and not repeated. Those that are not in the vocabulary of a row have no effect on it.
        /// </param>
        /// <param name="bias">A bias for each, neither NaN nor +infinity.</param>
        /// <exception cref="ArgumentException">An array is null, or their lengths differ.</exception>
        /// <exception cref="BregmanException">
        /// <see cref="Status.InvalidArgument"/>: an id or a bias is invalid; then the old bias stays.
        /// </exception>
        public void SetLogitBias(int[] ids, float[] bias)
        {
            NotNull(ids, nameof(ids));
            NotNull(bias, nameof(bias));
            SameLength(ids.Length, bias.Length, nameof(bias));
            fixed (int* idPointer = ids)
            fixed (float* biasPointer = bias)
            {
                SetLogitBias(idPointer, biasPointer, ids.Length);
            }
        }

        /// <summary>Replaces the logit bias by that of a dictionary from token id to bias; an empty one removes it.</summary>
        /// <param name="bias">As for <see cref="SetLogitBias(int[], float[])"/>.</param>
        /// <exception cref="ArgumentNullException">The dictionary is null.</exception>
        /// <exception cref="BregmanException">As for <see cref="SetLogitBias(int[], float[])"/>.</exception>
        public void SetLogitBias(IReadOnlyDictionary<int, float> bias)
        {
            NotNull(bias, nameof(bias));
            var ids = new List<int>(bias.Count);
            var values = new List<float>(bias.Count);
            foreach (var pair in bias)
            {
                ids.Add(pair.Key);
                values.Add(pair.Value);
            }
            SetLogitBias(ids.ToArray(), values.ToArray());
        }

        /// <summary>
        /// Sets the mask of the sampler, which holds for every row and candidate array from now on: token t is allowed if bit t
        /// % 32 of word t / 32 is set (the layout of llguidance and xgrammar), and tokens beyond the last word are banned. If a
        /// call has a mask too, a token must be allowed by both.
        /// </summary>
        /// <param name="words">Copied; null removes the mask.</param>
        /// <exception cref="ArgumentException">The array is empty.</exception>
        public void SetMask(uint[] words)
        {
            Row(1, words == null ? 1 : words.Length);
            fixed (uint* pointer = words)
            {
                SetMask(pointer, Length(words));
            }
        }

        /// <summary>Sets the mask from memory that does not move, such as a grammar engine's.</summary>
        /// <param name="words">The first of <paramref name="count"/> words, aligned to 4 bytes. Copied.</param>
        /// <param name="count">Number of words; 0 with a null pointer removes the mask.</param>
        /// <exception cref="BregmanException">
        /// <see cref="Status.InvalidArgument"/>: only one of the two, misaligned or negative; then the old mask stays.
        /// </exception>
        public void SetMask(uint* words, int count)
        {
            Enter();
            try
            {
                Check(NativeMethods.bregman_sampler_set_mask(handle, words, Unsigned(count)));
            }
            finally
            {
                Leave();
            }
        }

        /// <summary>
        /// The chain in its canonical form, which the constructor accepts and which has stages in the place of macros.
        /// </summary>
        /// <returns>The text.</returns>
        public string Describe()
        {
            Enter();
            try
            {
                var length = (int)NativeMethods.bregman_sampler_describe(handle, null, UIntPtr.Zero);
                var text = new byte[length + 1];
                fixed (byte* pointer = text)
                {
                    NativeMethods.bregman_sampler_describe(handle, pointer, (UIntPtr)text.Length);
                }
                return Encoding.UTF8.GetString(text, 0, length);
            }
            finally
            {
                Leave();
            }
        }

        private void Accept(int* tokens, int count)
        {
            Enter();
            try
            {
                Check(NativeMethods.bregman_sampler_accept(handle, tokens, (UIntPtr)count));
            }
            finally
            {
                Leave();
            }
        }

        private void SetLogitBias(int* ids, float* bias, int count)
        {
            Enter();
            try
            {
                Check(NativeMethods.bregman_sampler_set_logit_bias(handle, ids, bias, (UIntPtr)count));
            }
            finally
            {
                Leave();
            }
        }

        private static void NotNull(object argument, string name)
        {
            if (argument == null)
            {
                throw new ArgumentNullException(name);
            }
        }

        private static void SameLength(int expected, int length, string name)
        {
            if (length != expected)
            {
                throw new ArgumentException("has " + length + " elements, not " + expected, name);
            }
        }
    }
}
