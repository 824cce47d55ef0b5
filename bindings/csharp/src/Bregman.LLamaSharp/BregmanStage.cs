using System;
using LLama.Native;

namespace Bregman.LLamaSharp
{
    /// <summary>
    /// A bregman chain as a stage of llama.cpp: pass it to <c>SafeLLamaSamplerChainHandle.AddCustom</c> in the
    /// <c>CreateChain</c> of a pipeline. That chain owns and disposes it.
    /// </summary>
    /// <remarks>
    /// llama.cpp calls it from native code, which no exception may cross: an <see cref="Apply"/> that fails leaves the
    /// candidates unchanged and its message in <see cref="Error"/>. llama.cpp ends the process if the last stage selects no
    /// token, so if logits may be NaN, use llama.cpp's own draw as the last stage.
    /// </remarks>
    public sealed unsafe class BregmanStage : ICustomSampler
    {
        private readonly Sampler sampler;

        /// <summary>Creates the stage and its sampler.</summary>
        /// <param name="chain">A chain, with a drawing stage at its end only if this is llama.cpp's last stage.</param>
        /// <param name="seed">The same seed gives the same tokens.</param>
        /// <exception cref="BregmanException">As for <see cref="Sampler(string, ulong)"/>.</exception>
        public BregmanStage(string chain, ulong seed)
            : this(new Sampler(chain, seed))
        {
        }

        /// <summary>Creates the stage around a sampler.</summary>
        /// <param name="sampler">The stage owns and disposes it.</param>
        public BregmanStage(Sampler sampler)
        {
            this.sampler = sampler ?? throw new ArgumentNullException(nameof(sampler));
        }

        /// <summary>The name of the stage in llama.cpp.</summary>
        public string Name => "bregman";

        /// <summary>The message of the last call that failed; null if none has.</summary>
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

        /// <summary>Appends a token of the sequence to the history.</summary>
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

        /// <summary>Starts another sequence; logit bias and mask stay.</summary>
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

        /// <summary>Creates an independent stage in the same state, random position and history included.</summary>
        /// <returns>The clone, which the caller owns.</returns>
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
