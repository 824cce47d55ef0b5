using System;
using System.IO;
using System.Linq;

namespace Bregman.Tests
{
    internal static class LibraryTests
    {
        [Test]
        public static void VersionsEqualTheProjects()
        {
            var manifest = File.ReadAllLines(Inputs.FromRoot("Cargo.toml"));
            Check.Equal(manifest.First(line => line.StartsWith("version = ")), "version = \"" + BregmanLibrary.Version + "\"");
            Check.Equal(1, BregmanLibrary.AbiVersion);
        }

        /// <summary>Also run with BREGMAN_SIMD set to levels of this machine, and to one that does not exist.</summary>
        [Test]
        public static void SimdLevelIsTheRequestedOne()
        {
            var asked = Environment.GetEnvironmentVariable("BREGMAN_SIMD");
            var levels = new[] { "scalar", "avx2", "avx512", "neon" };
            if (string.IsNullOrEmpty(asked))
            {
                Check.That(levels.Contains(BregmanLibrary.SimdLevel), BregmanLibrary.SimdLevel);
            }
            else if (levels.Contains(asked))
            {
                Check.Equal(asked, BregmanLibrary.SimdLevel);
            }
            else
            {
                Check.Equal("", BregmanLibrary.SimdLevel);
                Check.Contains(asked, Check.Refused(Status.Unsupported, () => new Sampler("draw", 0)).Message);
            }
        }

        [Test]
        public static void StatusTextsAreKnownAndDistinct()
        {
            Check.Equal("invalid argument", BregmanLibrary.StatusText(Status.InvalidArgument));
            Check.Equal("unknown status", BregmanLibrary.StatusText((Status)4711));
            var words = Enum.GetValues(typeof(Status)).Cast<Status>().Select(BregmanLibrary.StatusText).ToArray();
            Check.Equal(words.Length, words.Distinct().Count());
            Check.That(!words.Contains("unknown status"), "every status is known");
        }

        [Test]
        public static void CatalogueDescribesStages()
        {
            var stages = BregmanLibrary.Stages;
            Check.SameSequence(
                new[] { "greedy", "draw" }.OrderBy(name => name),
                stages.Where(s => s.Draws).Select(s => s.Name).Intersect(new[] { "greedy", "draw" }).OrderBy(name => name));
            Check.SameSequence(
                new[] { "adaptive_p", "mirostat", "mirostat_v2" },
                stages.Where(s => s.Learns).Select(s => s.Name).OrderBy(name => name, StringComparer.Ordinal));
            Check.SameSequence(new[] { "temp", "t" }, stages.Single(s => s.Name == "temperature").Aliases);
            var bregman = stages.Single(s => s.Name == "bregman");
            Check.That(!bregman.Draws && bregman.Aliases.Count == 0, "it transforms");
            Check.Contains("arxiv", bregman.Source.ToLowerInvariant());
            var mode = bregman.Parameters.Single(p => p.Name == "mode");
            Check.Equal(ParameterKind.Choice, mode.Kind);
            Check.SameSequence(new[] { "primal", "dual" }, mode.Choices);
            Check.Equal("primal", mode.DefaultValue);
            var floor = bregman.Parameters.Single(p => p.Name == "floor");
            Check.Equal(ParameterKind.Number, floor.Kind);
            Check.That(floor.Minimum == 0 && floor.MinimumExcluded && floor.Maximum == 1, "(0, 1]");
            Check.That(floor.DefaultValue == null && !floor.Required, "optional, without a default");
            Check.Equal(ParameterKind.Count, bregman.Parameters.Single(p => p.Name == "k").Kind);
            Check.Equal(ParameterKind.Name, bregman.Parameters.Single(p => p.Name == "generator").Kind);
            Check.That(stages.Single(s => s.Name == "top_p").Parameters[0].Required, "top_p needs p");
        }

        [Test]
        public static void ParametersHaveTheirKindsAndGroups()
        {
            Func<string, string, StageParameter> find = (stage, parameter) => BregmanLibrary.Stages
                .Single(s => s.Name == stage).Parameters.Single(p => p.Name == parameter);
            Check.Equal(ParameterKind.Tokens, find("min_tokens", "stop").Kind);
            Check.Equal(ParameterKind.Sequences, find("dry", "breakers").Kind);
            Check.Equal(ParameterKind.Biases, BregmanLibrary.Stages.Single(s => s.Name == "logit_bias").Parameters[0].Kind);
            Check.That(
                BregmanLibrary.Stages.Concat(BregmanLibrary.Macros).SelectMany(s => s.Parameters)
                    .All(p => Enum.IsDefined(typeof(ParameterKind), p.Kind)),
                "every kind has a name");
            // The size: one of the three, and not two.
            var group = find("bregman", "floor").Group;
            Check.That(group > 0, "floor excludes others");
            Check.Equal(group, find("bregman", "k").Group);
            var divergence = find("bregman", "alpha").Group;
            Check.That(divergence > 0 && divergence != group, "alpha excludes others");
            Check.Equal(divergence, find("bregman", "generator").Group);
            Check.Equal(0, find("bregman", "mode").Group);
            Check.Refused(Status.InvalidChain, () => new Sampler("bregman(alpha=1.5, floor=0.1, k=4)", 0));
            Check.Refused(Status.InvalidChain, () => new Sampler("bregman(alpha=1.5)", 0));
        }

        [Test]
        public static void MacrosStandForStages()
        {
            Check.That(BregmanLibrary.Macros.Count > 0 && BregmanLibrary.Macros.All(m => m.Draws), "they end a chain");
            var stages = BregmanLibrary.Stages.Select(s => s.Name);
            Check.That(!BregmanLibrary.Macros.Select(m => m.Name).Intersect(stages).Any(), "none is a stage");
            Check.SameSequence(new[] { "llama_cpp", "koboldcpp", "exllamav2", "exllamav3" }, BregmanLibrary.Macros.Where(m => m.Learns).Select(m => m.Name));
            var llama = BregmanLibrary.Macros.Single(m => m.Name == "llama_cpp");
            Check.Equal("40", llama.Parameters.Single(p => p.Name == "top_k").DefaultValue);
            using (var sampler = new Sampler("llama_cpp", 0))
            {
                Check.Equal("top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8) | draw", sampler.Describe());
            }
            foreach (var macro in BregmanLibrary.Macros)
            {
                using (var sampler = new Sampler(macro.Name, 0))
                {
                    Check.That(sampler.Decode(new float[] { 1, 2 }).Token >= 0, macro.Name);
                }
            }
        }

        /// <summary>Each stage without required parameters makes a sampler by its name and aliases.</summary>
        [Test]
        public static void EveryNameAndAliasIsAccepted()
        {
            var made = 0;
            foreach (var stage in BregmanLibrary.Stages.Where(s => s.Parameters.All(p => !p.Required) && s.Draws))
            {
                foreach (var name in stage.Aliases.Concat(new[] { stage.Name }))
                {
                    using (var sampler = new Sampler(name, 0))
                    {
                        Check.Contains(stage.Name, sampler.Describe());
                        made++;
                    }
                }
            }
            Check.That(made >= 6, made + " names were tried");
        }
    }
}
