namespace Bregman
{
    /// <summary>
    /// Options of a batch: layout, mask, flags and threads. Read during the call only, so an object may be used for many
    /// calls.
    /// </summary>
    public sealed class BatchOptions
    {
        /// <summary>
        /// Number of samplers to decode with, from 0 to all of them, which is the default: that of the rows, unless there is a
        /// <see cref="RowIndex"/>.
        /// </summary>
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
        /// Default: the number of words that the vocabulary needs; sparse rows have no default.
        /// </summary>
        public int? MaskStride { get; set; }

        /// <summary>
        /// Null for whole rows: element i of a row is the logit of token i. Else the rows are sparse: laid out as the logits, the
        /// token of each element, in any order, each token once; -1 leaves an element out. <c>vocab</c> is then the number of
        /// elements of a row, and masks are by token. Default: null.
        /// </summary>
        /// <remarks>
        /// A sparse row gives what the whole row would give: the same token and support, probabilities to 1e-6. If that takes more
        /// than is known of the tokens that are not listed, the row fails with <see cref="Status.Incomplete"/> and nothing moves.
        /// Figures that the row does not tell are NaN, such ranks 0.
        /// <see cref="Sampler.Reduce(float[], int, int, int, int, BatchOptions, float)"/> makes these arrays.
        /// </remarks>
        public int[] Ids { get; set; }

        /// <summary>
        /// Null, or the number of elements of each sparse row, from 1 to <c>vocab</c>, which is the default. What follows them is
        /// not read.
        /// </summary>
        public uint[] Lengths { get; set; }

        /// <summary>
        /// Null if sparse rows list all tokens, which is the default. Else for each row ln of the sum of
        /// exp(l / <see cref="RestTemperature"/>) over the tokens that are not listed: negative infinity if none of them can be
        /// sampled, positive infinity if the sum is not known.
        /// </summary>
        public double[] LogRest { get; set; }

        /// <summary>
        /// For each sparse row a number that no logit of a token that is not listed exceeds. Default: null, which stands for the
        /// smallest finite logit that is listed. Not read without <see cref="LogRest"/>.
        /// </summary>
        public float[] Bound { get; set; }

        /// <summary>The temperature of <see cref="LogRest"/>. Default: 0, which stands for 1.</summary>
        public float RestTemperature { get; set; }

        /// <summary>
        /// Null: sampler i reads row i. Else sampler i reads row <c>RowIndex[i]</c>, with the mask and the other inputs of that
        /// row: several samplers may read one row, and rows may be left out. Results and answers are those of the samplers, and
        /// the inputs have as many rows as the largest index needs. Default: null. <see cref="Sampler"/>'s <c>Verify</c> and
        /// <c>Reduce</c> do not take it.
        /// </summary>
        public int[] RowIndex { get; set; }

        /// <summary>What to do in addition. Default: nothing.</summary>
        public DecodeFlags Flags { get; set; }

        /// <summary>Null, or arrays for more answers. Default: null.</summary>
        public BatchAnswers Answers { get; set; }

        /// <summary>
        /// 0 or 1 to decode all rows on the caller's thread; n for up to n threads: the caller's, and idle ones of the native
        /// library's own pool. The results do not depend on it. Default: 0. On Mono always 0 if a sampler of the batch has a <see cref="Generator"/>.
        /// </summary>
        public int Threads { get; set; }
    }
}
