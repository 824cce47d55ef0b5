namespace Bregman
{
    /// <summary>What the verification of a draft found. Immutable.</summary>
    public sealed class VerifiedDraft
    {
        internal VerifiedDraft(Status status, DecodeResult[] results, int[] path)
        {
            Status = status;
            Results = results;
            Path = path;
        }

        /// <summary>
        /// <see cref="Bregman.Status.Ok"/>, or why the sequence failed; the message is <see cref="Sampler.LastError"/> of its
        /// sampler, which is unchanged.
        /// </summary>
        public Status Status { get; }

        /// <summary>
        /// The new tokens of the sequence in order: the accepted ones, and the one that follows them. Empty if it failed.
        /// </summary>
        public DecodeResult[] Results { get; }

        /// <summary>The places of the accepted tokens in the draft, in order; their number is the number of accepted tokens.</summary>
        public int[] Path { get; }
    }
}
