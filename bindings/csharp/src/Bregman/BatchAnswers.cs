namespace Bregman
{
    /// <summary>
    /// What a batch is to tell of each row besides its token, and the caller's arrays that it is written to. Every array may be
    /// null, which asks for nothing; those that are not must be different ones. A row that fails leaves its places as they were.
    /// </summary>
    /// <remarks>
    /// One object serves many calls, but different batches at a time need arrays of their own. The tokens are those that the
    /// batch decodes without answers. Of an array with a stride the last row needs no gap behind it.
    /// </remarks>
    public sealed class BatchAnswers
    {
        /// <summary>Whose log-probabilities and ranks. Default: the model's.</summary>
        public LogProbabilitySource Source { get; set; }

        /// <summary>
        /// For each row the log-probability of its token; NaN if the untouched logits have none (NaN or +infinity under the
        /// mask).
        /// </summary>
        public float[] LogProbabilities { get; set; }

        /// <summary>
        /// For each row the rank of its token: how many tokens are at least as likely, itself among them. 0 where the
        /// log-probability is NaN.
        /// </summary>
        public uint[] Ranks { get; set; }

        /// <summary>How many of the most likely tokens to tell of each row. Default: 0.</summary>
        public int Top { get; set; }

        /// <summary>
        /// Elements from one row's most likely tokens to the next row's, at least <see cref="Top"/>. Default: that.
        /// </summary>
        public int? TopStride { get; set; }

        /// <summary>The most likely tokens in descending order (ties: ascending id); -1 where there are no more.</summary>
        public int[] TopIds { get; set; }

        /// <summary>
        /// Their log-probabilities; -infinity where there are no more, NaN if the untouched logits have none.
        /// </summary>
        public float[] TopLogProbabilities { get; set; }

        /// <summary>
        /// How many of the kept tokens to tell of each row at the most; <see cref="DecodeResult.Support"/> says how many there
        /// are. Default: 0.
        /// </summary>
        public int Kept { get; set; }

        /// <summary>
        /// Elements from one row's kept tokens to the next row's, at least <see cref="Kept"/>. Default: that.
        /// </summary>
        public int? KeptStride { get; set; }

        /// <summary>The tokens with positive probability, the most likely first; -1 where there are no more.</summary>
        public int[] KeptIds { get; set; }

        /// <summary>
        /// For each row <see cref="KeptMaskStride"/> words in which the bits of the tokens with positive probability are set:
        /// token t is bit t % 32 of word t / 32. Tokens beyond the words are left out.
        /// </summary>
        public uint[] KeptMask { get; set; }

        /// <summary>
        /// Words from one row's mask to the next row's, at least 1. Default: one bit for each token of the vocabulary, rounded
        /// up to words.
        /// </summary>
        public int? KeptMaskStride { get; set; }
    }
}
