namespace Bregman
{
    /// <summary>A token of a decoded distribution.</summary>
    public readonly struct TokenProbability
    {
        /// <summary>Creates an entry, for the law of a <see cref="Draft"/>.</summary>
        /// <param name="token">The token.</param>
        /// <param name="probability">Its probability.</param>
        public TokenProbability(int token, float probability)
        {
            Token = token;
            Probability = probability;
        }

        /// <summary>The token.</summary>
        public int Token { get; }

        /// <summary>Its probability, in (0, 1].</summary>
        public float Probability { get; }
    }
}
