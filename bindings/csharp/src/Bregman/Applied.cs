namespace Bregman
{
    /// <summary>What <see cref="Sampler.Apply(Candidate[])"/> made of the candidates.</summary>
    public readonly struct Applied
    {
        internal Applied(int count, int selected, bool sorted)
        {
            Count = count;
            Selected = selected;
            Sorted = sorted;
        }

        /// <summary>How many candidates are left, from the array's front on; at least 1.</summary>
        public int Count { get; }

        /// <summary>Position in the array of the token that was taken; -1 if the chain takes none.</summary>
        public int Selected { get; }

        /// <summary>Whether the candidates that are left are in descending order of logit for certain.</summary>
        public bool Sorted { get; }
    }
}
