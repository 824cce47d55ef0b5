using System;
using System.Runtime.InteropServices;

namespace Bregman.Interop
{
    /// <summary>Owns a <c>bregman_sampler *</c>: frees it when disposed, or when nobody refers to it any more.</summary>
    internal sealed class SamplerHandle : SafeHandle
    {
        /// <summary>For the marshaller, which fills it in.</summary>
        public SamplerHandle()
            : base(IntPtr.Zero, true)
        {
        }

        /// <summary>What must live as long as the native sampler: the delegates of a user's generators.</summary>
        internal object KeepAlive { get; set; }

        public override bool IsInvalid => handle == IntPtr.Zero;

        protected override bool ReleaseHandle()
        {
            NativeMethods.bregman_sampler_free(handle);
            return true;
        }
    }
}
