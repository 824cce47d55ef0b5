using System;
using System.Runtime.InteropServices;
using Bregman.Interop;

namespace Bregman
{
    /// <summary>
    /// The generator φ of a Bregman divergence: a strictly convex function on [0, 1] with φ(0) finite. Constants and linear
    /// terms of φ have no effect.
    /// </summary>
    /// <remarks>
    /// The functions must be pure. They may be called from any thread, and from several at the same time. An exception in one
    /// counts as NaN. Immutable; many samplers may use the same generator, and keep it alive.
    /// </remarks>
    public sealed unsafe class Generator
    {
        // The native library has function pointers to these, so they must live as long as the last sampler.
        private readonly VectorFunction phi;
        private readonly VectorFunction f;
        private readonly VectorFunction fInverse;
        private readonly VectorFunction fPrime;

        /// <summary>Creates a generator. It is checked when a sampler whose chain names it is created.</summary>
        /// <param name="name">The name that the chain uses.</param>
        /// <param name="phi">φ(x).</param>
        /// <param name="f">
        /// φ'(x), strictly increasing. f(0) may be -infinity for the primal and must be finite for the dual.
        /// </param>
        /// <param name="fInverse">The inverse of f, on [f(0), f(1)].</param>
        /// <param name="fPrime">f'(x), with x f'(x) nondecreasing. Required for the dual. Default: null.</param>
        /// <exception cref="ArgumentNullException">Another argument is null.</exception>
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

        /// <summary>The name that the chain uses.</summary>
        public string Name { get; }

        /// <summary>The structs of generators that the native library reads while a sampler is created.</summary>
        internal static Description Describe(Generator[] generators)
        {
            var description = new Description { Structs = null, Generators = null };
            if (generators == null || generators.Length == 0)
            {
                return description;
            }
            // A copy, because the caller may change the array.
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
                        // An exception that crossed the native frames would end the process.
                        result[i] = double.NaN;
                    }
                }
            }
        }
    }
}
