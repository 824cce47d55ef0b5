using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Bregman.Tests
{
    /// <summary>
    /// Constants and structs compared with include/bregman.h as a C compiler sees it. The output of tests/c/layout.c is in the
    /// file in the environment variable BREGMAN_TEST_LAYOUT: lines of "constant NAME VALUE", "struct NAME SIZE" and
    /// "field STRUCT.NAME OFFSET SIZE".
    /// </summary>
    internal static class LayoutTests
    {
        private static readonly Dictionary<string, Type> Structs = new Dictionary<string, Type>
        {
            { "bregman_candidate", typeof(Candidate) },
            { "bregman_candidates", typeof(CandidateArray) },
            { "bregman_result", typeof(DecodeResult) },
            { "bregman_batch", Internal("NativeBatch") },
            { "bregman_answers", Internal("NativeAnswers") },
            { "bregman_draft", Internal("NativeDraft") },
            { "bregman_stage", Internal("NativeStage") },
            { "bregman_parameter", Internal("NativeParameter") },
            { "bregman_generator", Internal("NativeGenerator") },
            { "bregman_watermark", Internal("NativeWatermark") },
        };

        // The table of functions: C# binds each function by its name.
        private const string Table = "bregman_api";

        // Public fields have C# names.
        private static readonly Dictionary<string, string> Renamed = new Dictionary<string, string>
        {
            { "bregman_candidate.id", "Id" },
            { "bregman_candidate.logit", "Logit" },
            { "bregman_candidate.p", "Probability" },
            { "bregman_candidates.data", "Data" },
            { "bregman_candidates.size", "Size" },
            { "bregman_candidates.selected", "Selected" },
            { "bregman_candidates.sorted", "Sorted" },
        };

        /// <summary>Every constant, except those for llama.cpp.</summary>
        [Test]
        public static void ConstantsEqualTheHeaders()
        {
            var header = File.ReadAllLines(Inputs.FromRoot("include/bregman.h"))
                .Select(line => line.Split(' '))
                .Where(words => words.Length == 3 && words[0] == "#define" && words[1].StartsWith("BREGMAN_"))
                .ToDictionary(words => words[1], words => ulong.Parse(words[2]));
            var compiled = Report("constant").ToDictionary(words => words[1], words => ulong.Parse(words[2]));
            Check.SameSequence(Pairs(header), Pairs(compiled), "the header and what was compiled of it");
            var others = compiled.Where(pair => !pair.Key.StartsWith("BREGMAN_LLAMA_")).ToDictionary(pair => pair.Key, pair => pair.Value);
            Check.SameSequence(Pairs(others), Pairs(Ours()), "the header and C#");
        }

        [Test]
        public static void StructsEqualTheHeaders()
        {
            var sizes = Report("struct").Where(words => words[1] != Table).ToList();
            Check.SameSequence(Structs.Keys.OrderBy(name => name), sizes.Select(words => words[1]).OrderBy(name => name));
            foreach (var words in sizes)
            {
                Check.Equal(int.Parse(words[2]), Marshal.SizeOf(Structs[words[1]]), "sizeof " + words[1]);
            }
        }

        [Test]
        public static void FieldsEqualTheHeaders()
        {
            var seen = new HashSet<FieldInfo>();
            foreach (var words in Report("field").Where(words => words[1].Split('.')[0] != Table))
            {
                var type = Structs[words[1].Split('.')[0]];
                var name = Renamed.TryGetValue(words[1], out var ours) ? ours : words[1].Split('.')[1];
                var field = type.GetField(name, BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)
                    ?? throw new CheckFailed("C# has no " + words[1]);
                seen.Add(field);
                Check.Equal(int.Parse(words[2]), (int)Marshal.OffsetOf(type, name), "the offset of " + words[1]);
                Check.Equal(int.Parse(words[3]), Size(field.FieldType), "the size of " + words[1]);
            }
            var all = Structs.Values.SelectMany(
                type => type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)).ToList();
            Check.Equal(all.Count, seen.Count, "fields in C# and in the header");
        }

        /// <summary>Every function of the table is declared, except those for llama.cpp.</summary>
        [Test]
        public static void FunctionsEqualTheHeaders()
        {
            var header = File.ReadAllText(Inputs.FromRoot("include/bregman.h"));
            var start = header.IndexOf("typedef struct " + Table + " {");
            var body = header.Substring(start, header.IndexOf("} " + Table + ";") - start);
            var functions = Regex.Matches(body, @"\(\*(\w+)\)").Cast<Match>().Select(match => "bregman_" + match.Groups[1].Value);
            var declared = Internal("NativeMethods").GetMethods(BindingFlags.NonPublic | BindingFlags.Static)
                .Where(method => (method.Attributes & MethodAttributes.PinvokeImpl) != 0)
                .Select(method => method.Name);
            Check.SameSequence(
                functions.Where(name => !name.StartsWith("bregman_llama_")).OrderBy(name => name, StringComparer.Ordinal),
                declared.OrderBy(name => name, StringComparer.Ordinal));
        }

        private static IEnumerable<KeyValuePair<string, ulong>> Ours()
        {
            var values = new Dictionary<string, ulong>();
            var version = Internal("NativeMethods").GetField("AbiVersion", BindingFlags.NonPublic | BindingFlags.Static);
            values["BREGMAN_ABI_VERSION"] = (uint)version.GetValue(null);
            Add<Status>(values, "");
            Add<LogitFormat>(values, "");
            Add<ParameterKind>(values, "KIND_");
            Add<LogProbabilitySource>(values, "");
            Add<DraftRule>(values, "RULE_");
            values["BREGMAN_WANT_KEPT_MASS"] = (ulong)DecodeFlags.KeptMass;
            values["BREGMAN_WANT_MODEL_LOGPROB"] = (ulong)DecodeFlags.ModelLogProbability;
            values["BREGMAN_WANT_ENTROPY"] = (ulong)DecodeFlags.Entropy;
            values["BREGMAN_ACCEPT"] = (ulong)DecodeFlags.Accept;
            values["BREGMAN_WANT_LN_KEPT"] = (ulong)DecodeFlags.LnKeptMass;
            values["BREGMAN_STAY"] = (ulong)DecodeFlags.Stay;
            // Six flags and none.
            Check.Equal(7, Enum.GetValues(typeof(DecodeFlags)).Length, "flags");
            return values;
        }

        private static void Add<T>(Dictionary<string, ulong> values, string prefix)
        {
            foreach (T value in Enum.GetValues(typeof(T)))
            {
                values["BREGMAN_" + prefix + SnakeCase(value.ToString())] = Convert.ToUInt64(value);
            }
        }

        /// <summary>InvalidChain is INVALID_CHAIN, and BF16 is BF16.</summary>
        private static string SnakeCase(string name)
        {
            var words = name.Select(
                (c, i) => i > 0 && char.IsUpper(c) && char.IsLower(name[i - 1]) ? "_" + c : c.ToString());
            return string.Concat(words).ToUpperInvariant();
        }

        private static IEnumerable<string[]> Report(string kind)
        {
            return File.ReadAllLines(Inputs.Setting("BREGMAN_TEST_LAYOUT"))
                .Select(line => line.Split(' '))
                .Where(words => words[0] == kind);
        }

        private static IEnumerable<string> Pairs(IEnumerable<KeyValuePair<string, ulong>> values)
        {
            return values.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => pair.Key + "=" + pair.Value);
        }

        private static Type Internal(string name)
        {
            return typeof(Sampler).Assembly.GetType("Bregman.Interop." + name, true);
        }

        private static int Size(Type type)
        {
            if (type.IsPointer)
            {
                return IntPtr.Size;
            }
            return Marshal.SizeOf(type.IsEnum ? Enum.GetUnderlyingType(type) : type);
        }
    }
}
