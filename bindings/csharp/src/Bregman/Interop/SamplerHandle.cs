using System;
using System.Runtime.InteropServices;

namespace Bregman.Interop
{
    /// <summary>Owns a <c>bregman_sampler *</c>: frees it when disposed or unreachable.</summary>
    internal sealed class SamplerHandle : SafeHandle
    {
        /// <summary>For the marshaller, which sets the handle.</summary>
        public SamplerHandle()
            : base(IntPtr.Zero, true)
        {
        }

        /// <summary>The delegates of generators, which must live as long as the native sampler.</summary>
        internal object KeepAlive { get; set; }

        public override bool IsInvalid => handle == IntPtr.Zero;

        protected override bool ReleaseHandle()
        {
            NativeMethods.bregman_sampler_free(handle);
            return true;
        }
    }
}
