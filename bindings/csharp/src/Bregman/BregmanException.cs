using System;

namespace Bregman
{
    /// <summary>A call that the native library refused. The sampler is as it was before the call.</summary>
    /// <remarks>
    /// Arguments that cannot be right in C# (null, lengths that contradict each other) throw
    /// <see cref="ArgumentException"/> and its kin, and a disposed sampler <see cref="ObjectDisposedException"/>.
    /// </remarks>
    public sealed class BregmanException : Exception
    {
        internal BregmanException(Status status, string message, int? row = null)
            : base(row.HasValue ? "row " + row.Value + ": " + message : message)
        {
            Status = status;
            Row = row;
        }

        /// <summary>What kind of failure it was; the exception's message says what exactly.</summary>
        public Status Status { get; }

        /// <summary>The first row that failed, if the call was a batch; else null.</summary>
        public int? Row { get; }
    }
}
