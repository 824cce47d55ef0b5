namespace Bregman
{
    /// <summary>
    /// Options of a batch: layout, mask, flags and threads. Read during the call only, so an object may be used for many
    /// calls.
    /// </summary>
    public sealed class BatchOptions
    {
        /// <summary>Number of rows, from 0 to the number of samplers, which is the default.</summary>
        public int? Rows { get; set; }

        /// <summary>
        /// Distance between the starts of consecutive rows in elements; at least the vocabulary, which is the default.
        /// </summary>
        public int? RowStride { get; set; }

        /// <summary>
        /// Null, or <see cref="MaskStride"/> words for each row: token t is allowed if bit t % 32 of word t / 32 is set (the
        /// layout of llguidance and xgrammar). A mask of the sampler applies as well. Default: null.
        /// </summary>
        public uint[] Mask { get; set; }

        /// <summary>
        /// Distance between the masks of consecutive rows in words, at least 1; tokens beyond the last word are banned.
        /// Default: the number of words that the vocabulary needs.
        /// </summary>
        public int? MaskStride { get; set; }

        /// <summary>What to do in addition. Default: nothing.</summary>
        public DecodeFlags Flags { get; set; }

        /// <summary>Null, or arrays for more answers. Default: null.</summary>
        public BatchAnswers Answers { get; set; }

        /// <summary>
        /// 0 or 1 to decode all rows on the caller's thread; n to use up to n threads of the native library's own pool. The
        /// results do not depend on it. Default: 0. On Mono always 0 if a sampler of the batch has a <see cref="Generator"/>.
        /// </summary>
        public int Threads { get; set; }
    }
}
