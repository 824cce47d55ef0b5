using System;

namespace Bregman
{
    /// <summary>What a decode does besides taking a token. Each figure that is asked for costs time.</summary>
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

        /// <summary>Accept each drawn token into its sampler's history, as <see cref="Sampler.Accept(int)"/> does.</summary>
        Accept = 8,
    }
}
