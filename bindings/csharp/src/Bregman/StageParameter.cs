using System.Collections.Generic;

namespace Bregman
{
    /// <summary>Kind of a parameter.</summary>
    public enum ParameterKind : uint
    {
        /// <summary>A number from <see cref="StageParameter.Minimum"/> to <see cref="StageParameter.Maximum"/>.</summary>
        Number = 0,

        /// <summary>A whole number from <see cref="StageParameter.Minimum"/> to <see cref="StageParameter.Maximum"/>.</summary>
        Count = 1,

        /// <summary>One of the words in <see cref="StageParameter.Choices"/>.</summary>
        Choice = 2,

        /// <summary>A name given by the host, such as that of a <see cref="Generator"/>.</summary>
        Name = 3,

        /// <summary>Token ids, separated by spaces, such as "2 32000".</summary>
        Tokens = 4,

        /// <summary>Token sequences, separated by semicolons, such as "13; 25 11".</summary>
        Sequences = 5,

        /// <summary>token:bias pairs, separated by spaces, such as "15:-2.5 30:-inf".</summary>
        Biases = 6,

        /// <summary>
        /// From <see cref="StageParameter.Minimum"/> to <see cref="StageParameter.Maximum"/> secret keys, separated by spaces,
        /// such as "0x9d3c55aa10f2e671".
        /// </summary>
        Keys = 7,
    }

    /// <summary>A parameter of a stage. Immutable.</summary>
    public sealed class StageParameter
    {
        internal StageParameter(
            string name,
            IReadOnlyList<string> aliases,
            string summary,
            string defaultValue,
            ParameterKind kind,
            IReadOnlyList<string> choices)
        {
            Name = name;
            Aliases = aliases;
            Summary = summary;
            DefaultValue = defaultValue;
            Kind = kind;
            Choices = choices;
        }

        /// <summary>Its name in a chain.</summary>
        public string Name { get; }

        /// <summary>Other names that are accepted.</summary>
        public IReadOnlyList<string> Aliases { get; }

        /// <summary>What it does, in one sentence.</summary>
        public string Summary { get; }

        /// <summary>Its value if it is not given; null if there is no default.</summary>
        public string DefaultValue { get; }

        /// <summary>The kind of its values.</summary>
        public ParameterKind Kind { get; }

        /// <summary>The words that a <see cref="ParameterKind.Choice"/> accepts; otherwise empty.</summary>
        public IReadOnlyList<string> Choices { get; }

        /// <summary>
        /// Smallest value of a <see cref="ParameterKind.Number"/> or <see cref="ParameterKind.Count"/>; otherwise 0.
        /// </summary>
        public double Minimum { get; internal set; }

        /// <summary>
        /// Largest value of a <see cref="ParameterKind.Number"/> or <see cref="ParameterKind.Count"/>; otherwise 0.
        /// </summary>
        public double Maximum { get; internal set; }

        /// <summary>Whether <see cref="Minimum"/> itself is not accepted.</summary>
        public bool MinimumExcluded { get; internal set; }

        /// <summary>Whether it must be given.</summary>
        public bool Required { get; internal set; }

        /// <summary>
        /// 0 for no group, or the number of a group, from 1. Parameters of a stage in the same group exclude each other, and
        /// one of them must be given unless one has a default.
        /// </summary>
        public int Group { get; internal set; }
    }
}
