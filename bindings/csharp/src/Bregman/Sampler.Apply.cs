using System;
using Bregman.Interop;

namespace Bregman
{
    public sealed unsafe partial class Sampler
    {
        /// <summary>
        /// Applies the chain to an engine's candidates in place, as one stage of the engine's own chain, and advances the
        /// random position by one. A call that fails changes nothing.
        /// </summary>
        /// <remarks>
        /// The candidates may be any subset of the vocabulary, in any order. A truncating stage moves the kept candidates to
        /// the front in descending order of logit, with their probability. Without one the array keeps its order and
        /// probabilities, masked tokens get logit -infinity, and those that a leading xtc drops are removed. If the chain ends
        /// with a drawing stage, the probabilities are written in either case. The logits that are left are those of the
        /// stages' definitions, ln p after a bregman stage with alpha other than 1: their softmax is the decoded distribution.
        /// They are finite; if the largest is beyond +-1024, all are relative to it.
        /// </remarks>
        /// <param name="candidates">At least one.</param>
        /// <returns>The number of kept candidates, and the position of the selected one.</returns>
        /// <exception cref="ArgumentNullException">The array is null.</exception>
        /// <exception cref="BregmanException">
        /// <see cref="Status.EmptySupport"/> (no candidates, or every logit is masked or -infinity),
        /// <see cref="Status.InvalidLogits"/> (NaN, +infinity), <see cref="Status.NoConvergence"/> (a generator of the caller),
        /// <see cref="Status.InvalidArgument"/> (the sampler is in use).
        /// </exception>
        public Applied Apply(Candidate[] candidates)
        {
            NotNull(candidates, nameof(candidates));
            return Apply(candidates, candidates.Length);
        }

        /// <summary>Applies the chain to the first candidates of an array.</summary>
        /// <param name="candidates">The array.</param>
        /// <param name="count">Number of candidates.</param>
        /// <returns>The number of kept candidates, and the position of the selected one.</returns>
        /// <exception cref="ArgumentException">The array is null, or the count out of range.</exception>
        /// <exception cref="BregmanException">As for <see cref="Apply(Candidate[])"/>.</exception>
        public Applied Apply(Candidate[] candidates, int count)
        {
            NotNull(candidates, nameof(candidates));
            if (count < 0 || count > candidates.Length)
            {
                throw new ArgumentOutOfRangeException(nameof(count), "is " + count + ": from 0 to " + candidates.Length);
            }
            fixed (Candidate* data = candidates)
            {
                return Apply(data, count);
            }
        }

        /// <summary>
        /// Applies the chain to a native array of candidates, such as a <c>llama_token_data_array</c>, whose size, selection
        /// and order it updates.
        /// </summary>
        /// <param name="candidates">The array; it and its data must not move during the call.</param>
        /// <exception cref="BregmanException">
        /// As for <see cref="Apply(Candidate[])"/>; <see cref="Status.InvalidArgument"/> also for a null or misaligned pointer.
        /// </exception>
        public void Apply(CandidateArray* candidates)
        {
            Enter();
            try
            {
                Check(NativeMethods.bregman_apply(handle, candidates));
            }
            finally
            {
                Leave();
            }
        }

        private Applied Apply(Candidate* data, int count)
        {
            var array = new CandidateArray { Data = data, Size = (UIntPtr)count, Selected = -1 };
            Apply(&array);
            return new Applied((int)array.Size, (int)array.Selected, array.Sorted != 0);
        }
    }
}
