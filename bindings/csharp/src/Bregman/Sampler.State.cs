using System;
using System.Collections.Generic;
using System.Text;
using Bregman.Interop;

namespace Bregman
{
    public sealed unsafe partial class Sampler
    {
        /// <summary>
        /// Appends a token to the history that stages about repetition look at. What is accepted before the first row is the
        /// prompt: see <see cref="SetPromptLength"/>.
        /// </summary>
        /// <param name="token">A token that the sequence went on with; not negative.</param>
        /// <exception cref="BregmanException"><see cref="Status.InvalidArgument"/>: the token is negative.</exception>
        public void Accept(int token)
        {
            Accept(&token, 1);
        }

        /// <summary>Appends tokens to the history, such as the prompt's.</summary>
        /// <param name="tokens">The tokens in their order; none negative.</param>
        /// <exception cref="BregmanException">
        /// <see cref="Status.InvalidArgument"/>: a token is negative; then none is taken.
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
        /// Says that the first tokens of the history are the prompt and the others output, for a sequence that is resumed.
        /// Stages with scope=output look at the output only.
        /// </summary>
        /// <remarks>
        /// Without this call the prompt is what was accepted before the first row was looked at, since creation or the last
        /// reset.
        /// </remarks>
        /// <param name="length">From 0 to the number of tokens that were accepted.</param>
        /// <exception cref="BregmanException">
        /// <see cref="Status.InvalidArgument"/>: the history has not so many tokens; then the prompt stays as it was.
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

        /// <summary>Back to as created: the seed of creation, position 0, no history, no logit bias, no mask.</summary>
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

        /// <summary>Continues with the random numbers of a seed from a position on.</summary>
        /// <param name="seed">The seed.</param>
        /// <param name="position">
        /// Counts what the sampler decoded or applied: it starts at 0, and every call that succeeded moved it by one. So the
        /// number of tokens so far resumes a sequence, on any machine.
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
        /// any stage; -infinity bans the token. Empty arrays remove the bias.
        /// </summary>
        /// <param name="ids">Token ids, none negative, none twice; those beyond a row's vocabulary are ignored there.</param>
        /// <param name="bias">A bias for each, neither NaN nor +infinity.</param>
        /// <exception cref="ArgumentException">An array is null, or they differ in length.</exception>
        /// <exception cref="BregmanException">
        /// <see cref="Status.InvalidArgument"/>: an id or a bias is not as it must be; then the old bias stays.
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
        /// <param name="bias">As of <see cref="SetLogitBias(int[], float[])"/>.</param>
        /// <exception cref="ArgumentNullException">The dictionary is null.</exception>
        /// <exception cref="BregmanException">As of <see cref="SetLogitBias(int[], float[])"/>.</exception>
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
        /// Allows only the tokens whose bit is set, in every row and candidate array from now on: token t is bit t % 32 of word
        /// t / 32 (the layout of llguidance and xgrammar), tokens beyond the words are banned. A mask that a call is given holds
        /// as well.
        /// </summary>
        /// <param name="words">Copied, so the array is the caller's again; null allows all tokens.</param>
        /// <exception cref="ArgumentException">The array is empty.</exception>
        public void SetMask(uint[] words)
        {
            Row(1, words == null ? 1 : words.Length);
            fixed (uint* pointer = words)
            {
                SetMask(pointer, Length(words));
            }
        }

        /// <summary>Sets the mask from memory that does not move, such as a grammar engine's own.</summary>
        /// <param name="words">The first of <paramref name="count"/> words, aligned to 4 bytes. Copied.</param>
        /// <param name="count">Number of words; 0 with a null pointer allows all tokens.</param>
        /// <exception cref="BregmanException">
        /// <see cref="Status.InvalidArgument"/>: one without the other, misaligned, or negative; then the old mask stays.
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

        /// <summary>The chain in its canonical form, which the constructor takes again.</summary>
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
