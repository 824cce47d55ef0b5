using System;

namespace Bregman
{
    /// <summary>What a decode does in addition to drawing a token. Each figure takes additional time.</summary>
    [Flags]
    public enum DecodeFlags : uint
    {
        /// <summary>Nothing.</summary>
        None = 0,

        /// <summary>Fill <see cref="DecodeResult.KeptMass"/>.</summary>
        KeptMass = 1,

        /// <summary>Fill <see cref="DecodeResult.ModelLogProbability"/>.</summary>
        ModelLogProbability = 2,

        /// <summary>Fill <see cref="DecodeResult.Entropy"/>.</summary>
        Entropy = 4,

        /// <summary>Append each drawn token to the history of its sampler, as <see cref="Sampler.Accept(int)"/> does.</summary>
        Accept = 8,

        /// <summary>Fill <see cref="DecodeResult.LnKeptMass"/>.</summary>
        LnKeptMass = 16,

        /// <summary>
        /// Leave the random position, and what the chain has learnt, as they are: for a grammar that is checked after the draw.
        /// If the token is banned, draw again with the mask; if it stands, decode the row once more without this flag, which
        /// gives the same token. Not together with <see cref="Accept"/>.
        /// </summary>
        Stay = 32,
    }
}
