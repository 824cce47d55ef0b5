namespace Bregman
{
    /// <summary>What a detector says of a text.</summary>
    public struct WatermarkScore
    {
        internal WatermarkScore(double score, double pValue, long counted)
        {
            Score = score;
            PValue = pValue;
            Counted = counted;
        }

        /// <summary>The stage's statistic, larger for a marked text; docs/watermarks.md says what it is.</summary>
        public double Score { get; }

        /// <summary>
        /// The probability that a text which knows nothing of the key scores as much; 1 if no token was counted.
        /// </summary>
        public double PValue { get; }

        /// <summary>Number of tokens that were counted: tokens whose context occurred before are not.</summary>
        public long Counted { get; }
    }
}
