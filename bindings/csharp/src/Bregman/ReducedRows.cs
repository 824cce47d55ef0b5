namespace Bregman
{
    /// <summary>
    /// What sparse rows are made of: the logits, and the options of <see cref="BatchOptions"/> with the same names.
    /// </summary>
    public sealed class ReducedRows
    {
        internal ReducedRows(int rows, int count)
        {
            Ids = new int[rows * count];
            Logits = new float[rows * count];
            LogRest = new double[rows];
            Bound = new float[rows];
        }

        /// <summary>
        /// The tokens with the largest logits of each row, in descending order of logit (ties: ascending id); -1 where there are
        /// no more.
        /// </summary>
        public int[] Ids { get; }

        /// <summary>Their logits; negative infinity where there are no more.</summary>
        public float[] Logits { get; }

        /// <summary>For each row ln of the sum of exp(l / temperature) over the other tokens.</summary>
        public double[] LogRest { get; }

        /// <summary>For each row a number that no logit of the other tokens exceeds.</summary>
        public float[] Bound { get; }
    }
}
