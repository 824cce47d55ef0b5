using System;

namespace Bregman
{
    /// <summary>A call failed in the native library. The sampler is unchanged.</summary>
    /// <remarks>
    /// Invalid arguments that C# detects (null, inconsistent lengths) throw <see cref="ArgumentException"/> or a subclass, and
    /// calls on a disposed sampler <see cref="ObjectDisposedException"/>.
    /// </remarks>
    public sealed class BregmanException : Exception
    {
        internal BregmanException(Status status, string message, int? row = null)
            : base(row.HasValue ? "row " + row.Value + ": " + message : message)
        {
            Status = status;
            Row = row;
        }

        /// <summary>The status; the message names the argument and the reason.</summary>
        public Status Status { get; }

        /// <summary>The first row that failed, if the call was a batch; otherwise null.</summary>
        public int? Row { get; }
    }
}
