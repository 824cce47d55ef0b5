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
        /// The candidates may be in any order and any subset of the vocabulary. If the chain drops tokens, the kept ones are
        /// moved to the front in descending order with their probability filled in; else the array keeps its order. Logits stay
        /// the engine's own, divided by the temperature; after a bregman stage with alpha other than 1 they are ln p, so that a
        /// later softmax gives the decoded distribution back. If the chain ends with a drawing stage, every probability is
        /// filled in.
        /// </remarks>
        /// <param name="candidates">At least one.</param>
        /// <returns>How many are left at the array's front, and which was taken.</returns>
        /// <exception cref="ArgumentNullException">The array is null.</exception>
        /// <exception cref="BregmanException">
        /// <see cref="Status.EmptySupport"/> (no candidate, all -infinity), <see cref="Status.InvalidLogits"/> (NaN, +infinity),
        /// <see cref="Status.NoConvergence"/> (a user's generator), <see cref="Status.InvalidArgument"/> (the sampler is in use).
        /// </exception>
        public Applied Apply(Candidate[] candidates)
        {
            NotNull(candidates, nameof(candidates));
            return Apply(candidates, candidates.Length);
        }

        /// <summary>Applies the chain to the first candidates of an array.</summary>
        /// <param name="candidates">The array.</param>
        /// <param name="count">How many of it are candidates.</param>
        /// <returns>How many are left at the array's front, and which was taken.</returns>
        /// <exception cref="ArgumentException">The array is null, or the count not in its range.</exception>
        /// <exception cref="BregmanException">As of <see cref="Apply(Candidate[])"/>.</exception>
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
        /// Applies the chain to a native array of candidates, such as a <c>llama_token_data_array</c>, whose size, selection and
        /// order it updates.
        /// </summary>
        /// <param name="candidates">The array; neither it nor its data move meanwhile.</param>
        /// <exception cref="BregmanException">
        /// As of <see cref="Apply(Candidate[])"/>; <see cref="Status.InvalidArgument"/> also for a null or misaligned pointer.
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
