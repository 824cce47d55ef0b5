namespace Bregman
{
    /// <summary>A token of a draw without replacement.</summary>
    public readonly struct DrawnToken
    {
        internal DrawnToken(int token, float logProbability, float score)
        {
            Token = token;
            LogProbability = logProbability;
            Score = score;
        }

        /// <summary>The token.</summary>
        public int Token { get; }

        /// <summary>Natural logarithm of its probability under the decoded distribution.</summary>
        public float LogProbability { get; }

        /// <summary>The log-probability plus the Gumbel noise of the token; descending in the order of the draw.</summary>
        public float Score { get; }
    }
}
