using System;
using System.Runtime.InteropServices;
using Bregman.Interop;

namespace Bregman
{
    /// <summary>
    /// The generator φ of a Bregman divergence, on [0, 1]: strictly convex, φ(0) finite. Constants and linear terms of φ do not
    /// matter.
    /// </summary>
    /// <remarks>
    /// The functions must be pure. They may be called from any thread and from several at a time: a batch decodes rows in
    /// parallel. An exception in one counts as a NaN. Immutable; one generator may serve many samplers, which keep it alive.
    /// </remarks>
    public sealed unsafe class Generator
    {
        // The native library holds these as function pointers: they must not be collected before the last sampler.
        private readonly VectorFunction phi;
        private readonly VectorFunction f;
        private readonly VectorFunction fInverse;
        private readonly VectorFunction fPrime;

        /// <summary>Describes a generator. It is checked when a sampler is made whose chain names it.</summary>
        /// <param name="name">The name by which the chain refers to it.</param>
        /// <param name="phi">φ(x).</param>
        /// <param name="f">
        /// φ'(x), strictly increasing. f(0) may be -infinity for the primal and must be finite for the dual.
        /// </param>
        /// <param name="fInverse">The inverse of f, on [f(0), f(1)].</param>
        /// <param name="fPrime">f'(x), with x f'(x) nondecreasing: for the dual only. Default: null.</param>
        /// <exception cref="ArgumentNullException">One of the others is null.</exception>
        public Generator(
            string name,
            Func<double, double> phi,
            Func<double, double> f,
            Func<double, double> fInverse,
            Func<double, double> fPrime = null)
        {
            Name = name ?? throw new ArgumentNullException(nameof(name));
            this.phi = new Vector(phi ?? throw new ArgumentNullException(nameof(phi))).Evaluate;
            this.f = new Vector(f ?? throw new ArgumentNullException(nameof(f))).Evaluate;
            this.fInverse = new Vector(fInverse ?? throw new ArgumentNullException(nameof(fInverse))).Evaluate;
            this.fPrime = fPrime == null ? default(VectorFunction) : new Vector(fPrime).Evaluate;
        }

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate void VectorFunction(void* user, double* x, double* result, UIntPtr n);

        /// <summary>The name by which the chain refers to it.</summary>
        public string Name { get; }

        /// <summary>What the native library reads of some generators while a sampler is made.</summary>
        internal static Description Describe(Generator[] generators)
        {
            var description = new Description { Structs = null, Generators = null };
            if (generators == null || generators.Length == 0)
            {
                return description;
            }
            // Copied: the caller's array may change while the samplers live.
            description.Generators = (Generator[])generators.Clone();
            description.Names = new GCHandle[generators.Length];
            description.Structs = new NativeGenerator[generators.Length];
            try
            {
                for (var i = 0; i < description.Generators.Length; i++)
                {
                    var generator = description.Generators[i]
                        ?? throw new ArgumentException("generators[" + i + "] is null", nameof(generators));
                    var name = Utf8.Terminated(generator.Name, nameof(generators));
                    description.Names[i] = GCHandle.Alloc(name, GCHandleType.Pinned);
                    description.Structs[i] = generator.Struct((byte*)description.Names[i].AddrOfPinnedObject());
                }
            }
            catch
            {
                description.Free();
                throw;
            }
            return description;
        }

        private NativeGenerator Struct(byte* name)
        {
            return new NativeGenerator
            {
                struct_size = (uint)sizeof(NativeGenerator),
                name = name,
                phi = Marshal.GetFunctionPointerForDelegate(phi),
                f = Marshal.GetFunctionPointerForDelegate(f),
                f_inverse = Marshal.GetFunctionPointerForDelegate(fInverse),
                f_prime = fPrime == null ? IntPtr.Zero : Marshal.GetFunctionPointerForDelegate(fPrime),
            };
        }

        internal struct Description
        {
            internal Generator[] Generators;
            internal NativeGenerator[] Structs;
            internal GCHandle[] Names;

            internal void Free()
            {
                if (Names == null)
                {
                    return;
                }
                foreach (var name in Names)
                {
                    if (name.IsAllocated)
                    {
                        name.Free();
                    }
                }
            }
        }

        private sealed class Vector
        {
            private readonly Func<double, double> function;

            internal Vector(Func<double, double> function)
            {
                this.function = function;
            }

            internal void Evaluate(void* user, double* x, double* result, UIntPtr n)
            {
                for (long i = 0; i < (long)n; i++)
                {
                    try
                    {
                        result[i] = function(x[i]);
                    }
                    catch (Exception)
                    {
                        // An exception must not cross the native frames above: it would end the process.
                        result[i] = double.NaN;
                    }
                }
            }
        }
    }
}
