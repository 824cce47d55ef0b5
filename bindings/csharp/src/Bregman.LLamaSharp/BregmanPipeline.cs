using System;
using LLama.Native;
using LLama.Sampling;

namespace Bregman.LLamaSharp
{
    /// <summary>
    /// A bregman chain as a sampling pipeline on llama.cpp's own logits, without an array of candidates. For
    /// <c>InferenceParams.SamplingPipeline</c> and <c>Conversation.Sample</c>.
    /// </summary>
    /// <remarks>For one sequence: clone the sampler for another. Not thread-safe.</remarks>
    public sealed unsafe class BregmanPipeline : ISamplingPipeline
    {
        private readonly Sampler sampler;

        /// <summary>Creates the pipeline and its sampler.</summary>
        /// <param name="chain">A chain that ends with a drawing stage.</param>
        /// <param name="seed">The same seed gives the same tokens.</param>
        /// <exception cref="BregmanException">As for <see cref="Sampler(string, ulong)"/>.</exception>
        public BregmanPipeline(string chain, ulong seed)
            : this(new Sampler(chain, seed))
        {
        }

        /// <summary>Creates the pipeline around a sampler.</summary>
        /// <param name="sampler">The pipeline owns and disposes it.</param>
        public BregmanPipeline(Sampler sampler)
        {
            this.sampler = sampler ?? throw new ArgumentNullException(nameof(sampler));
        }

        /// <summary>
        /// Draws a token from the context's logits and adds it to the history, because LLamaSharp's executors do not call
        /// <see cref="Accept"/>.
        /// </summary>
        /// <param name="ctx">The context that has computed the logits.</param>
        /// <param name="index">Position of the logits, as of <c>GetLogitsIth</c>.</param>
        /// <returns>The token.</returns>
        /// <exception cref="BregmanException">As for <see cref="Sampler.Decode(float[], DecodeFlags, uint[])"/>.</exception>
        public LLamaToken Sample(SafeLLamaContextHandle ctx, int index)
        {
            if (ctx == null)
            {
                throw new ArgumentNullException(nameof(ctx));
            }
            var logits = ctx.GetLogitsIth(index);
            fixed (float* row = logits)
            {
                return sampler.Decode(row, LogitFormat.F32, logits.Length, DecodeFlags.Accept).Token;
            }
        }

        /// <summary>
        /// Applies the chain to a managed array of candidates. The array cannot shrink: dropped candidates are behind the kept
        /// ones, with logit -infinity and probability 0.
        /// </summary>
        /// <param name="ctx">Not used.</param>
        /// <param name="data">The candidates.</param>
        /// <exception cref="BregmanException">As for <see cref="Sampler.Apply(Candidate[])"/>.</exception>
        public void Apply(SafeLLamaContextHandle ctx, LLamaTokenDataArray data)
        {
            using (LLamaTokenDataArrayNative.Create(data, out var native))
            {
                sampler.Apply((CandidateArray*)&native);
            }
            var dropped = data.Data.Span.Slice((int)native.Size);
            for (var i = 0; i < dropped.Length; i++)
            {
                dropped[i].Logit = float.NegativeInfinity;
                dropped[i].Probability = 0;
            }
        }

        /// <summary>Starts another sequence; logit bias and mask stay.</summary>
        public void Reset()
        {
            sampler.Reset();
        }

        /// <summary>Appends a token to the history that <see cref="Sample"/> did not draw, such as one of the prompt.</summary>
        /// <param name="token">The token.</param>
        /// <exception cref="BregmanException"><see cref="Status.InvalidArgument"/>: the token is negative.</exception>
        public void Accept(LLamaToken token)
        {
            sampler.Accept((int)token);
        }

        /// <summary>Frees the sampler.</summary>
        public void Dispose()
        {
            sampler.Dispose();
        }
    }
}
