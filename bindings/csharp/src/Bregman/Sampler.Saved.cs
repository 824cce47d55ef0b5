using System;
using Bregman.Interop;

namespace Bregman
{
    // The sampler as bytes, going back, and where a sampler is.
    public sealed unsafe partial class Sampler
    {
        /// <summary>The seed of the next row's random numbers.</summary>
        public ulong Seed => Where().Seed;

        /// <summary>The position of the next row's random numbers.</summary>
        public ulong Position => Where().Position;

        /// <summary>Number of tokens of the history that are the prompt: all of them before the first row.</summary>
        public int PromptLength => Where().Prompt;

        /// <summary>
        /// The sampler as bytes, of which <see cref="Load(byte[], Generator[])"/> makes one that goes on as this one would: in
        /// another process, language or machine.
        /// </summary>
        /// <remarks>
        /// They have the chain, the seeds, the position, the history, the length of the prompt, the logit bias, the mask, and what
        /// the chain has learnt; of generators only the names. The same state gives the same bytes everywhere; docs/state.md
        /// describes them. The keys of watermarks are in them.
        /// </remarks>
        /// <returns>A new array.</returns>
        public byte[] Save()
        {
            Enter();
            try
            {
                UIntPtr length;
                NativeMethods.bregman_sampler_save(handle, null, UIntPtr.Zero, &length);
                var state = new byte[(int)length];
                fixed (byte* pointer = state)
                {
                    Check(NativeMethods.bregman_sampler_save(handle, pointer, length, &length));
                }
                return state;
            }
            finally
            {
                Leave();
            }
        }

        /// <summary>Creates a sampler from the bytes of <see cref="Save()"/>, of this or an earlier version.</summary>
        /// <param name="state">
        /// Bytes from any language and machine. Those that are not a state are refused; the checksum in them does not prove who
        /// wrote them.
        /// </param>
        /// <param name="generators">At least those that the chain names; null or empty for none.</param>
        /// <returns>The sampler, which the caller disposes.</returns>
        /// <exception cref="ArgumentException">The state or a generator is null.</exception>
        /// <exception cref="BregmanException">
        /// <see cref="Status.InvalidArgument"/>: the bytes are not a state, or a generator is missing.
        /// <see cref="Status.Unsupported"/>: as for the constructor.
        /// </exception>
        public static Sampler Load(byte[] state, params Generator[] generators)
        {
            NotNull(state, nameof(state));
            fixed (byte* pointer = state)
            {
                return Load(pointer, state.Length, generators);
            }
        }

        /// <summary>
        /// Takes the last tokens of the history back: the sampler is as it was when they had not been decoded yet.
        /// </summary>
        /// <remarks>
        /// The random position goes back by the rows that those tokens took and by rows decoded since, and what the chain has
        /// learnt goes back, too: the same logits then give the same tokens. Seed, logit bias and mask stay. For exact steps
        /// accept each token before the next row. If the prompt is cut, or all output is taken back, tokens accepted before the
        /// next row are prompt again.
        /// </remarks>
        /// <param name="count">Number of tokens, at most the length of the history.</param>
        /// <exception cref="ArgumentOutOfRangeException">The number is negative.</exception>
        /// <exception cref="BregmanException">
        /// <see cref="Status.InvalidArgument"/>: the history is shorter. Nothing is changed.
        /// </exception>
        public void Rewind(int count)
        {
            Range(count, 0, nameof(count));
            Enter();
            try
            {
                Check(NativeMethods.bregman_sampler_rewind(handle, (UIntPtr)count));
            }
            finally
            {
                Leave();
            }
        }

        /// <summary>The history, prompt first.</summary>
        /// <returns>A new array.</returns>
        public int[] History()
        {
            Enter();
            try
            {
                UIntPtr length;
                NativeMethods.bregman_sampler_history(handle, null, UIntPtr.Zero, &length);
                var tokens = new int[(int)length];
                fixed (int* pointer = tokens)
                {
                    Check(NativeMethods.bregman_sampler_history(handle, pointer, length, &length));
                }
                return tokens;
            }
            finally
            {
                Leave();
            }
        }

        private static Sampler Load(byte* state, int length, Generator[] generators)
        {
            const int ErrorSize = 4096;
            Loader.Ensure();
            var described = Generator.Describe(generators);
            try
            {
                var error = stackalloc byte[ErrorSize];
                error[0] = 0;
                SamplerHandle loaded;
                Status status;
                fixed (NativeGenerator* list = described.Structs)
                {
                    var count = list == null ? 0 : described.Structs.Length;
                    status = NativeMethods.bregman_sampler_load(
                        state, (UIntPtr)length, list, (UIntPtr)count, out loaded, error, (UIntPtr)ErrorSize);
                }
                if (status != Status.Ok)
                {
                    throw new BregmanException(status, Utf8.Read(error));
                }
                loaded.KeepAlive = described.Generators;
                return new Sampler(loaded);
            }
            finally
            {
                described.Free();
            }
        }

        private (ulong Seed, ulong Position, int Prompt) Where()
        {
            Enter();
            try
            {
                ulong seed, position;
                UIntPtr history, prompt;
                Check(NativeMethods.bregman_sampler_where(handle, &seed, &position, &history, &prompt));
                return (seed, position, (int)prompt);
            }
            finally
            {
                Leave();
            }
        }
    }
}
