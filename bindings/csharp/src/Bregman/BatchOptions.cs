namespace Bregman
{
    /// <summary>
    /// How the rows of a batch lie in memory, and what is asked about them. Read during the call only, so one object serves
    /// many calls.
    /// </summary>
    public sealed class BatchOptions
    {
        /// <summary>Number of rows, from 0 to the number of samplers. Default: one for each sampler.</summary>
        public int? Rows { get; set; }

        /// <summary>
        /// Elements from the start of one row to the start of the next, at least the vocabulary. Default: the vocabulary.
        /// </summary>
        public int? RowStride { get; set; }

        /// <summary>
        /// Null, or for each row <see cref="MaskStride"/> words in which token t is bit t % 32 of word t / 32 and a set bit
        /// allows it (the layout of llguidance and xgrammar). Default: null, all tokens are allowed.
        /// </summary>
        public uint[] Mask { get; set; }

        /// <summary>
        /// Words from one row's mask to the next, at least 1; tokens beyond them are banned. Default: one bit for each token
        /// of the vocabulary, rounded up to words.
        /// </summary>
        public int? MaskStride { get; set; }

        /// <summary>What is asked about each row. Default: nothing but the token.</summary>
        public DecodeFlags Flags { get; set; }

        /// <summary>Null, or what else to tell of each row, and the arrays for it. Default: null.</summary>
        public BatchAnswers Answers { get; set; }

        /// <summary>
        /// 0 or 1: the caller's thread decodes all rows. n: up to n threads of a pool of the native library's own. The answers
        /// are the same. Default: 0. (Mono: 0 whatever is asked for, if a sampler of the batch has a <see cref="Generator"/>.)
        /// </summary>
        public int Threads { get; set; }
    }
}
