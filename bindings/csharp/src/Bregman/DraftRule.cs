namespace Bregman
{
    /// <summary>Which tokens of a draft are accepted.</summary>
    public enum DraftRule : uint
    {
        /// <summary>
        /// The chain draws each token as it does without a draft, and a drafted token that differs ends the draft. The text is
        /// that of decoding without a draft, token for token. For every chain, and for trees.
        /// </summary>
        Match = 0,

        /// <summary>
        /// Token x is accepted with probability min(1, p(x) / q(x)), else replaced by one drawn from max(p - q, 0) (arXiv
        /// 2211.17192, 2302.01318). The text has the distribution of decoding without a draft.
        /// </summary>
        Token = 1,

        /// <summary>
        /// The block rule (arXiv 2403.10444), which accepts at least as many tokens on average as <see cref="Token"/> does. The
        /// text has the distribution of decoding without a draft.
        /// </summary>
        Block = 2,
    }
}
