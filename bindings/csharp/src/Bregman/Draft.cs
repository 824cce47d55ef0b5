using System;

namespace Bregman
{
    /// <summary>
    /// Tokens that a draft model, or a table of n-grams, proposes for one sequence. Its arrays are read during a call only.
    /// </summary>
    public sealed class Draft
    {
        /// <summary>Creates a draft.</summary>
        /// <param name="tokens">The drafted tokens; an empty array decodes the one row of the sequence.</param>
        /// <param name="rule">Which of them are accepted. Default: those that the chain draws anyway.</param>
        /// <exception cref="ArgumentNullException">The tokens are null.</exception>
        public Draft(int[] tokens, DraftRule rule = DraftRule.Match)
        {
            Tokens = tokens ?? throw new ArgumentNullException(nameof(tokens));
            Rule = rule;
        }

        /// <summary>The drafted tokens.</summary>
        public int[] Tokens { get; }

        /// <summary>Which of them are accepted.</summary>
        public DraftRule Rule { get; }

        /// <summary>
        /// Null for a line, in which each token follows the one before. Else (<see cref="DraftRule.Match"/> only) for each
        /// token of a tree the place of the token that it follows, -1 for the accepted text; a token stands after the one that
        /// it follows.
        /// </summary>
        public int[] Parents { get; set; }

        /// <summary>
        /// Null if the tokens were not drawn: each then had probability 1. Else for each token the distribution that it was drawn
        /// from, after the draft's own chain, as <see cref="Sampler.Distribution(float[])"/> returns it: tokens in any order, none
        /// twice, with probabilities that sum to 1 within 0.001. Not read with <see cref="DraftRule.Match"/>.
        /// </summary>
        public TokenProbability[][] Laws { get; set; }
    }
}
