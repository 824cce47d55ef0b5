namespace Bregman
{
    /// <summary>Status of a call or a row.</summary>
    public enum Status : uint
    {
        /// <summary>Success.</summary>
        Ok = 0,

        /// <summary>An argument is null, misaligned or out of its range, or the sampler is in use.</summary>
        InvalidArgument = 1,

        /// <summary>The text of the chain is too long or does not parse, or a parameter is out of its range.</summary>
        InvalidChain = 2,

        /// <summary>A logit that is not masked is NaN or +infinity.</summary>
        InvalidLogits = 3,

        /// <summary>Every logit is masked or -infinity.</summary>
        EmptySupport = 4,

        /// <summary>A generator returned NaN, or the solver found no solution with it.</summary>
        NoConvergence = 5,

        /// <summary>The caller's buffers are too small for the result.</summary>
        BufferTooSmall = 6,

        /// <summary>The call is valid, but not with this chain, in this version or on this machine.</summary>
        Unsupported = 7,

        /// <summary>A defect of the native library. Please report it.</summary>
        Internal = 8,

        /// <summary>A sparse row does not hold what the chain needs.</summary>
        Incomplete = 9,

        /// <summary>There was no memory for the call.</summary>
        OutOfMemory = 10,
    }
}
