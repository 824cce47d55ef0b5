namespace Bregman
{
    /// <summary>One of several tokens that were drawn from one row without replacement.</summary>
    public readonly struct DrawnToken
    {
        internal DrawnToken(int token, float logProbability, float score)
        {
            Token = token;
            LogProbability = logProbability;
            Score = score;
        }

        /// <summary>The token's id.</summary>
        public int Token { get; }

        /// <summary>Natural logarithm of its probability under the decoded distribution.</summary>
        public float LogProbability { get; }

        /// <summary>The same with the token's Gumbel noise added: the draw is in descending order of it.</summary>
        public float Score { get; }
    }
}
