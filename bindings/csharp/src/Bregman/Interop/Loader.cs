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
    /// Finds the native library, on .NET Core 3.0 and later, and checks that it has the ABI of these declarations.
    /// </summary>
    internal static class Loader
    {
        private static int ready;

        /// <summary>Must be called before the first native call; cheap after that.</summary>
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
                    // The host has set its own resolver for this assembly.
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
                // Throws if it cannot be loaded: no other library may replace one that was set explicitly.
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
            // As the runtime does, and then by the name of an installed library without development files.
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
            // The library for another libc does not load; then the next one is tried.
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
