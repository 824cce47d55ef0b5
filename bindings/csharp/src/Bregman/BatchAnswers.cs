namespace Bregman
{
    /// <summary>
    /// Outputs of a batch in addition to the tokens, in arrays of the caller. Arrays that are null are not computed; the others
    /// must be different arrays. The elements of a row that fails are not written.
    /// </summary>
    /// <remarks>
    /// An object may be used for many calls, but concurrent batches need different arrays. Answers do not change the tokens. An
    /// array with a stride may end with the last element of the last row.
    /// </remarks>
    public sealed class BatchAnswers
    {
        /// <summary>Source of log-probabilities, ranks and most likely tokens. Default: the model.</summary>
        public LogProbabilitySource Source { get; set; }

        /// <summary>
        /// One element per row: ln p of its token. NaN for the model if an untouched logit is NaN or +infinity (a mask may hide
        /// it from the decoder).
        /// </summary>
        public float[] LogProbabilities { get; set; }

        /// <summary>
        /// One element per row: the rank of its token, that is the number of tokens that are at least as likely, itself
        /// included; 1 for the most likely. 0 where the log-probability is NaN.
        /// </summary>
        public uint[] Ranks { get; set; }

        /// <summary>Number of most likely tokens per row. Default: 0.</summary>
        public int Top { get; set; }

        /// <summary>
        /// Distance between consecutive rows of most likely tokens, at least <see cref="Top"/>, which is the default.
        /// </summary>
        public int? TopStride { get; set; }

        /// <summary>
        /// The most likely tokens of each row in descending order (ties: ascending id), then -1 if there are fewer.
        /// </summary>
        public int[] TopIds { get; set; }

        /// <summary>
        /// ln p of these tokens, then -infinity if there are fewer; all NaN where the log-probability of the token is NaN.
        /// </summary>
        public float[] TopLogProbabilities { get; set; }

        /// <summary>
        /// Largest number of kept tokens to write per row; <see cref="DecodeResult.Support"/> is how many there are. Default:
        /// 0.
        /// </summary>
        public int Kept { get; set; }

        /// <summary>
        /// Distance between consecutive rows of kept tokens, at least <see cref="Kept"/>, which is the default.
        /// </summary>
        public int? KeptStride { get; set; }

        /// <summary>The tokens with positive probability, the most likely first, then -1 if there are fewer.</summary>
        public int[] KeptIds { get; set; }

        /// <summary>
        /// Null, or one element more than there are rows: the kept tokens of row r are then elements <c>KeptOffsets[r]</c> to
        /// <c>KeptOffsets[r + 1] - 1</c> of <see cref="KeptIds"/>, which has <see cref="Kept"/> elements for each row, without
        /// gaps (<see cref="KeptStride"/> is not used). A row that fails has none.
        /// </summary>
        public int[] KeptOffsets { get; set; }

        /// <summary>
        /// <see cref="KeptMaskStride"/> words per row: bit t % 32 of word t / 32 is set if token t has positive probability.
        /// Tokens beyond the last word are left out.
        /// </summary>
        public uint[] KeptMask { get; set; }

        /// <summary>
        /// Distance between consecutive rows of this mask in words, at least 1. Default: the number of words that the
        /// vocabulary needs; sparse rows have no default.
        /// </summary>
        public int? KeptMaskStride { get; set; }

        /// <summary>Number of tokens per row whose log-probabilities are asked for. Default: 0.</summary>
        public int Given { get; set; }

        /// <summary>
        /// These tokens, <see cref="Given"/> per row, read only; -1 asks for none. Any other id that is not in the vocabulary
        /// fails its row.
        /// </summary>
        public int[] GivenIds { get; set; }

        /// <summary>ln p of these tokens: -infinity for a token that cannot be sampled, NaN for -1.</summary>
        public float[] GivenLogProbabilities { get; set; }

        /// <summary>Their ranks, as <see cref="Ranks"/>; 0 where there is no probability.</summary>
        public uint[] GivenRanks { get; set; }

        /// <summary>One element per row: ln p of its token under the other source.</summary>
        public float[] OtherLogProbabilities { get; set; }

        /// <summary>ln p of <see cref="TopIds"/> under the other source.</summary>
        public float[] OtherTopLogProbabilities { get; set; }
    }
}
