namespace Bregman
{
    /// <summary>A token of a decoded distribution.</summary>
    public readonly struct TokenProbability
    {
        internal TokenProbability(int token, float probability)
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
