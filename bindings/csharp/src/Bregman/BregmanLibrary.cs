using System;
using System.Collections.Generic;
using Bregman.Interop;

namespace Bregman
{
    /// <summary>The native library: its version, and the stages of chains. All members are thread-safe.</summary>
    /// <remarks>
    /// Every member throws <see cref="DllNotFoundException"/> if the native library is not found, and
    /// <see cref="BregmanException"/> (<see cref="Status.Unsupported"/>) if it has another version of the ABI.
    /// </remarks>
    public static unsafe class BregmanLibrary
    {
        private static readonly string[] None = new string[0];

        private static readonly Lazy<IReadOnlyList<Stage>> StageList = new Lazy<IReadOnlyList<Stage>>(ReadStages);

        private static readonly Lazy<IReadOnlyList<Stage>> MacroList = new Lazy<IReadOnlyList<Stage>>(ReadMacros);

        private delegate Status Describe(UIntPtr index, ref NativeStage info);

        /// <summary>The version of the native library, such as "0.1.0".</summary>
        public static string Version
        {
            get
            {
                Loader.Ensure();
                return Utf8.Read(NativeMethods.bregman_version());
            }
        }

        /// <summary>The version of the ABI of the native library.</summary>
        public static int AbiVersion
        {
            get
            {
                Loader.Ensure();
                return (int)NativeMethods.bregman_abi_version();
            }
        }

        /// <summary>
        /// The instruction set in use, as described at bregman_simd_level in bregman.h. The environment variable BREGMAN_SIMD
        /// selects a lower one; if it names none of this machine, this is "" and creating a sampler fails.
        /// </summary>
        public static string SimdLevel
        {
            get
            {
                Loader.Ensure();
                return Utf8.Read(NativeMethods.bregman_simd_level());
            }
        }

        /// <summary>The stages that a chain can name, in the order in which a chain usually has them.</summary>
        public static IReadOnlyList<Stage> Stages => StageList.Value;

        /// <summary>
        /// The macros that a chain can name. A macro is the name of an engine, such as llama_cpp, and stands for that engine's
        /// stages in its order with its defaults.
        /// </summary>
        public static IReadOnlyList<Stage> Macros => MacroList.Value;

        /// <summary>A status in words, such as "invalid argument".</summary>
        /// <param name="status">Any number; an unknown one gives "unknown status".</param>
        /// <returns>The words.</returns>
        public static string StatusText(Status status)
        {
            Loader.Ensure();
            return Utf8.Read(NativeMethods.bregman_status_text((uint)status));
        }

        private static IReadOnlyList<Stage> ReadStages()
        {
            Loader.Ensure();
            return Read((int)NativeMethods.bregman_stage_count(), NativeMethods.bregman_stage_info);
        }

        private static IReadOnlyList<Stage> ReadMacros()
        {
            Loader.Ensure();
            return Read((int)NativeMethods.bregman_macro_count(), NativeMethods.bregman_macro_info);
        }

        private static IReadOnlyList<Stage> Read(int count, Describe describe)
        {
            var stages = new Stage[count];
            for (var i = 0; i < stages.Length; i++)
            {
                var info = new NativeStage { struct_size = (uint)sizeof(NativeStage) };
                var status = describe((UIntPtr)i, ref info);
                if (status != Status.Ok)
                {
                    throw new BregmanException(status, StatusText(status));
                }
                stages[i] = new Stage(
                    Utf8.Read(info.name),
                    Words(info.aliases),
                    Utf8.Read(info.summary),
                    Utf8.Read(info.source),
                    info.draws != 0,
                    info.learns != 0,
                    ReadParameters(info));
            }
            return Array.AsReadOnly(stages);
        }

        private static IReadOnlyList<StageParameter> ReadParameters(NativeStage stage)
        {
            var parameters = new StageParameter[(int)stage.parameter_count];
            for (var i = 0; i < parameters.Length; i++)
            {
                // The library's struct may be larger than this one.
                var p = (NativeParameter*)((byte*)stage.parameters + i * (long)stage.parameter_size);
                var byDefault = Utf8.Read(p->default_value);
                parameters[i] = new StageParameter(
                    Utf8.Read(p->name),
                    Words(p->aliases),
                    Utf8.Read(p->summary),
                    byDefault.Length == 0 ? null : byDefault,
                    p->kind,
                    Words(p->choices))
                {
                    Minimum = p->min,
                    Maximum = p->max,
                    MinimumExcluded = p->min_excluded != 0,
                    Required = p->required != 0,
                    Group = (int)p->group,
                };
            }
            return Array.AsReadOnly(parameters);
        }

        private static IReadOnlyList<string> Words(byte* commaSeparated)
        {
            var text = Utf8.Read(commaSeparated);
            return Array.AsReadOnly(text.Length == 0 ? None : text.Split(','));
        }
    }
}
