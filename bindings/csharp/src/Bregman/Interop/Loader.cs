#if NETCOREAPP3_0_OR_GREATER
using System;
using System.IO;
using System.Reflection;
using System.Runtime.InteropServices;
#endif
using System.Threading;

namespace Bregman.Interop
{
    /// <summary>
    /// Finds the native library where the runtime lets it (.NET Core 3.0 and later), and checks that it is one that these
    /// declarations fit.
    /// </summary>
    internal static class Loader
    {
        private static int ready;

        /// <summary>To be called before the first native call; cheap afterwards.</summary>
        internal static void Ensure()
        {
            if (Volatile.Read(ref ready) != 0)
            {
                return;
            }
#if NETCOREAPP3_0_OR_GREATER
            Register();
#endif
            var version = NativeMethods.bregman_abi_version();
            if (version != NativeMethods.AbiVersion)
            {
                throw new BregmanException(
                    Status.Unsupported,
                    "the native library has version " + version + " of the binary interface, this assembly needs version "
                    + NativeMethods.AbiVersion);
            }
            Volatile.Write(ref ready, 1);
        }

#if NETCOREAPP3_0_OR_GREATER
        private static readonly object Gate = new object();
        private static bool registered;

        private static void Register()
        {
            lock (Gate)
            {
                if (registered)
                {
                    return;
                }
                try
                {
                    NativeLibrary.SetDllImportResolver(typeof(Loader).Assembly, Resolve);
                }
                catch (InvalidOperationException)
                {
                    // The host has set a resolver of its own for this assembly: it knows better.
                }
                registered = true;
            }
        }

        private static IntPtr Resolve(string name, Assembly assembly, DllImportSearchPath? path)
        {
            if (name != NativeMethods.Library)
            {
                return IntPtr.Zero;
            }
            var file = Environment.GetEnvironmentVariable("BREGMAN_LIBRARY");
            if (!string.IsNullOrEmpty(file))
            {
                // Throws if it cannot be loaded: what was asked for by name is not to be replaced quietly.
                return NativeLibrary.Load(file);
            }
            IntPtr handle;
            foreach (var rid in RuntimeIdentifiers())
            {
                var packaged = Path.Combine(AppContext.BaseDirectory, "runtimes", rid, "native", FileName());
                if (File.Exists(packaged) && NativeLibrary.TryLoad(packaged, out handle))
                {
                    return handle;
                }
            }
            // As the runtime would, and then by the name under which a system has it without its development files.
            if (NativeLibrary.TryLoad(name, assembly, path, out handle)
                || NativeLibrary.TryLoad(SystemName(), assembly, path, out handle))
            {
                return handle;
            }
            return IntPtr.Zero;
        }

        private static string[] RuntimeIdentifiers()
        {
            var architecture = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
            if (RuntimeInformation.IsOSPlatform(OSPlatform.Windows))
            {
                return new[] { "win-" + architecture };
            }
            if (RuntimeInformation.IsOSPlatform(OSPlatform.OSX))
            {
                return new[] { "osx-" + architecture };
            }
            // The one for the other C library does not load, and the next is tried.
            return new[] { "linux-" + architecture, "linux-musl-" + architecture };
        }

        private static string FileName()
        {
            if (RuntimeInformation.IsOSPlatform(OSPlatform.Windows))
            {
                return "bregman.dll";
            }
            return RuntimeInformation.IsOSPlatform(OSPlatform.OSX) ? "libbregman.dylib" : "libbregman.so";
        }

        private static string SystemName()
        {
            if (RuntimeInformation.IsOSPlatform(OSPlatform.OSX))
            {
                return "libbregman." + NativeMethods.AbiVersion + ".dylib";
            }
            return "libbregman.so." + NativeMethods.AbiVersion;
        }
#endif
    }
}
