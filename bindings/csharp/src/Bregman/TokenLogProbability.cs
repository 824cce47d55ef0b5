namespace Bregman
{
    /// <summary>One of a row's most likely tokens.</summary>
    public readonly struct TokenLogProbability
    {
        internal TokenLogProbability(int token, float logProbability)
        {
            Token = token;
            LogProbability = logProbability;
        }

        /// <summary>The token's id.</summary>
        public int Token { get; }

        /// <summary>Natural logarithm of its probability.</summary>
        public float LogProbability { get; }
    }
}
