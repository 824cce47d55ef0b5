using System.Collections.Generic;

namespace Bregman
{
    /// <summary>A stage, or a macro, that a chain can name. Immutable.</summary>
    public sealed class Stage
    {
        internal Stage(
            string name,
            IReadOnlyList<string> aliases,
            string summary,
            string source,
            bool draws,
            bool learns,
            IReadOnlyList<StageParameter> parameters)
        {
            Name = name;
            Aliases = aliases;
            Summary = summary;
            Source = source;
            Draws = draws;
            Learns = learns;
            Parameters = parameters;
        }

        /// <summary>Its name in a chain.</summary>
        public string Name { get; }

        /// <summary>Other names that are accepted.</summary>
        public IReadOnlyList<string> Aliases { get; }

        /// <summary>What it does, in one sentence.</summary>
        public string Summary { get; }

        /// <summary>The paper or project that defines it.</summary>
        public string Source { get; }

        /// <summary>Whether it draws a token, and therefore ends a chain, as every macro does.</summary>
        public bool Draws { get; }

        /// <summary>Whether its draw depends on the tokens that it drew before.</summary>
        /// <remarks>
        /// Such a stage works only where this library draws (<see cref="Sampler.Decode(float[], DecodeFlags, uint[])"/>), not
        /// where the host draws from the result of <see cref="Sampler.Process(float[])"/>; to resume it, use a saved state
        /// (<see cref="Sampler.Save()"/>). For a macro, whether one of the stages that it can stand for learns; <see cref="Sampler.Describe()"/> shows
        /// the stages of a given chain.
        /// </remarks>
        public bool Learns { get; }

        /// <summary>Its parameters; the first may be given without its name.</summary>
        public IReadOnlyList<StageParameter> Parameters { get; }
    }
}
