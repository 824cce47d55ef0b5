namespace Bregman
{
    /// <summary>A token and its log-probability.</summary>
    public readonly struct TokenLogProbability
    {
        internal TokenLogProbability(int token, float logProbability)
        {
            Token = token;
            LogProbability = logProbability;
        }

        /// <summary>The token.</summary>
        public int Token { get; }

        /// <summary>Natural logarithm of its probability.</summary>
        public float LogProbability { get; }
    }
}
