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
            IReadOnlyList<StageParameter> parameters)
        {
            Name = name;
            Aliases = aliases;
            Summary = summary;
            Source = source;
            Draws = draws;
            Parameters = parameters;
        }

        /// <summary>Its name in a chain.</summary>
        public string Name { get; }

        /// <summary>Other names that are accepted.</summary>
        public IReadOnlyList<string> Aliases { get; }

        /// <summary>What it does, in a sentence.</summary>
        public string Summary { get; }

        /// <summary>The paper or project that defines it.</summary>
        public string Source { get; }

        /// <summary>Whether it takes a token and so ends a chain, as every macro does.</summary>
        public bool Draws { get; }

        /// <summary>Its parameters; the first may be given without its name.</summary>
        public IReadOnlyList<StageParameter> Parameters { get; }
    }
}
