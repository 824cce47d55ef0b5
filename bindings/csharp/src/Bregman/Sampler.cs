using System;
using System.Threading;
using Bregman.Interop;

namespace Bregman
{
    /// <summary>
    /// A chain such as <c>temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw</c> and the state of one sequence: seed and
    /// position of its random numbers, history, logit bias, mask, and what stages that learn have learnt.
    /// </summary>
    /// <remarks>
    /// <para>
    /// One thread at a time may use a sampler; a call on a sampler that is in use fails with
    /// <see cref="Status.InvalidArgument"/>. Different samplers are independent, clones too. A call that fails changes nothing
    /// and advances nothing.
    /// </para>
    /// <para>
    /// The same chain, seed, position, history and logits give the same token, on every machine, with any number of threads,
    /// in any batch; stages that learn (<see cref="Stage.Learns"/>) also depend on the tokens that they drew.
    /// Decoding allocates no managed memory after the first batch of that size on the thread.
    /// </para>
    /// <para>
    /// Dispose it to free its native memory at once; otherwise the finaliser does. Calls on a disposed sampler throw
    /// <see cref="ObjectDisposedException"/>, and all calls throw <see cref="DllNotFoundException"/> if the native library is
    /// not found.
    /// </para>
    /// </remarks>
    public sealed unsafe partial class Sampler : IDisposable
    {
        private const string InUse = "the sampler is in use by another call";

        private readonly SamplerHandle handle;

        // 0, or the id of the managed thread that uses the sampler, negative in a batch. Also guards the message on the handle,
        // which the next call on it overwrites.
        private int user;

        // The handle is closed when the last call that uses it ends.
        private volatile bool disposed;

        /// <summary>Creates a sampler at position 0 of the random numbers of a seed.</summary>
        /// <param name="chain">The text of the chain, at most 65 536 bytes and 64 stages.</param>
        /// <param name="seed">Every seed is reproducible; none means "random".</param>
        /// <exception cref="ArgumentException">The chain is null or contains a NUL.</exception>
        /// <exception cref="BregmanException">
        /// <see cref="Status.InvalidChain"/>: the message names the stage, the parameter and its range.
        /// <see cref="Status.Unsupported"/>: an alpha outside the range in which the solver is proven, or the environment
        /// variable BREGMAN_SIMD names no level of this machine.
        /// </exception>
        public Sampler(string chain, ulong seed)
            : this(chain, seed, null)
        {
        }

        /// <summary>
        /// Creates a sampler whose chain names generators of divergences: <c>bregman(generator=mine, lambda=0.01) | draw</c>.
        /// </summary>
        /// <param name="chain">The text of the chain.</param>
        /// <param name="seed">Every seed is reproducible.</param>
        /// <param name="generators">The generators that the chain can name; null or empty for none.</param>
        /// <exception cref="ArgumentException">The chain or a generator is null, or a text contains a NUL.</exception>
        /// <exception cref="BregmanException">
        /// As for the other constructor; <see cref="Status.InvalidChain"/> also if a generator that the chain uses is invalid.
        /// </exception>
        public Sampler(string chain, ulong seed, params Generator[] generators)
        {
            var text = Utf8.Terminated(chain, nameof(chain));
            Loader.Ensure();
            var described = Generator.Describe(generators);
            try
            {
                handle = Create(text, seed, described.Structs);
            }
            finally
            {
                described.Free();
            }
            handle.KeepAlive = described.Generators;
        }

        private Sampler(SamplerHandle handle)
        {
            this.handle = handle;
        }

        /// <summary>
        /// The message of the last call on this sampler that failed, rows of batches included; "" if none has.
        /// </summary>
        public string LastError
        {
            get
            {
                Enter();
                try
                {
                    return Message();
                }
                finally
                {
                    Leave();
                }
            }
        }

        /// <summary>
        /// Creates an independent sampler in the same state: chain, seed, random position, history, logit bias, mask, and what
        /// stages that learn have learnt.
        /// </summary>
        /// <returns>The clone, which the caller disposes.</returns>
        public Sampler Clone()
        {
            Enter();
            try
            {
                var status = NativeMethods.bregman_sampler_clone(handle, out var clone);
                Check(status);
                clone.KeepAlive = handle.KeepAlive;
                return new Sampler(clone);
            }
            finally
            {
                Leave();
            }
        }

        /// <summary>
        /// Frees the native memory: at once, or at the end of a call that is running on another thread. Calling it again does
        /// nothing.
        /// </summary>
        public void Dispose()
        {
            disposed = true;
            handle.Dispose();
        }

        private static SamplerHandle Create(byte[] chain, ulong seed, NativeGenerator[] generators)
        {
            const int ErrorSize = 4096;
            var error = stackalloc byte[ErrorSize];
            error[0] = 0;
            SamplerHandle created;
            Status status;
            fixed (byte* text = chain)
            fixed (NativeGenerator* list = generators)
            {
                status = list == null
                    ? NativeMethods.bregman_sampler_new(text, seed, out created, error, (UIntPtr)ErrorSize)
                    : NativeMethods.bregman_sampler_new_with_generators(
                        text, seed, list, (UIntPtr)generators.Length, out created, error, (UIntPtr)ErrorSize);
            }
            if (status != Status.Ok)
            {
                throw new BregmanException(status, Utf8.Read(error));
            }
            return created;
        }

        private void Enter()
        {
            if (disposed)
            {
                throw new ObjectDisposedException(nameof(Sampler));
            }
            if (Interlocked.CompareExchange(ref user, Environment.CurrentManagedThreadId, 0) != 0)
            {
                throw new BregmanException(Status.InvalidArgument, InUse);
            }
        }

        private void Leave()
        {
            Volatile.Write(ref user, 0);
        }

        // To be called while the sampler is marked as in use.
        private string Message()
        {
            return Utf8.Read(NativeMethods.bregman_sampler_error(handle));
        }

        private void Check(Status status)
        {
            if (status != Status.Ok)
            {
                throw new BregmanException(status, Message());
            }
        }
    }
}
