namespace Bregman
{
    /// <summary>The result of <see cref="Sampler.Apply(Candidate[])"/>.</summary>
    public readonly struct Applied
    {
        internal Applied(int count, int selected, bool sorted)
        {
            Count = count;
            Selected = selected;
            Sorted = sorted;
        }

        /// <summary>Number of candidates that are kept, at the front of the array; at least 1.</summary>
        public int Count { get; }

        /// <summary>Position in the array of the selected token; -1 if the chain does not draw.</summary>
        public int Selected { get; }

        /// <summary>Whether the kept candidates are known to be in descending order of logit.</summary>
        public bool Sorted { get; }
    }
}
