using System;
using LLama.Native;

namespace Bregman.LLamaSharp
{
    /// <summary>
    /// A bregman chain as a stage of llama.cpp's: give it to <c>SafeLLamaSamplerChainHandle.AddCustom</c> in the
    /// <c>CreateChain</c> of a pipeline. The chain owns it from then on and disposes it.
    /// </summary>
    /// <remarks>
    /// llama.cpp calls it from native code, which no exception may cross: an <see cref="Apply"/> that fails leaves the
    /// candidates as they were and its reason in <see cref="Error"/>. As llama.cpp ends the process when the last stage selects
    /// nothing, let a chain whose logits may be NaN end with llama.cpp's own draw instead of one in here.
    /// </remarks>
    public sealed unsafe class BregmanStage : ICustomSampler
    {
        private readonly Sampler sampler;

        /// <summary>Creates the stage and its sampler.</summary>
        /// <param name="chain">A chain, with a drawing stage at its end only if this is llama.cpp's last stage.</param>
        /// <param name="seed">The same seed gives the same tokens, always.</param>
        /// <exception cref="BregmanException">As of <see cref="Sampler(string, ulong)"/>.</exception>
        public BregmanStage(string chain, ulong seed)
            : this(new Sampler(chain, seed))
        {
        }

        /// <summary>Creates the stage around a sampler.</summary>
        /// <param name="sampler">Belongs to the stage from now on, which disposes it.</param>
        public BregmanStage(Sampler sampler)
        {
            this.sampler = sampler ?? throw new ArgumentNullException(nameof(sampler));
        }

        /// <summary>The name under which llama.cpp lists the stage.</summary>
        public string Name => "bregman";

        /// <summary>Why the last call that failed did so; null if none has.</summary>
        public Exception Error { get; private set; }

        /// <summary>Applies the chain to llama.cpp's candidates in place.</summary>
        /// <param name="tokenData">The candidates.</param>
        public void Apply(ref LLamaTokenDataArrayNative tokenData)
        {
            try
            {
                fixed (LLamaTokenDataArrayNative* candidates = &tokenData)
                {
                    sampler.Apply((CandidateArray*)candidates);
                }
            }
            catch (Exception e)
            {
                Error = e;
            }
        }

        /// <summary>Takes the token that the sequence goes on with into the history.</summary>
        /// <param name="token">The token.</param>
        public void Accept(LLamaToken token)
        {
            try
            {
                sampler.Accept((int)token);
            }
            catch (Exception e)
            {
                Error = e;
            }
        }

        /// <summary>Back to as created.</summary>
        public void Reset()
        {
            try
            {
                sampler.Reset();
            }
            catch (Exception e)
            {
                Error = e;
            }
        }

        /// <summary>Creates an independent stage in the same state, the random position and the history included.</summary>
        /// <returns>The clone, which whoever asked for it owns.</returns>
        public ICustomSampler Clone()
        {
            return new BregmanStage(sampler.Clone());
        }

        /// <summary>Frees the sampler.</summary>
        public void Dispose()
        {
            sampler.Dispose();
        }
    }
}
