namespace Bregman
{
    /// <summary>How a call or a row ended.</summary>
    public enum Status : uint
    {
        /// <summary>The call did what it says.</summary>
        Ok = 0,

        /// <summary>An argument is missing, out of range or in use by another call.</summary>
        InvalidArgument = 1,

        /// <summary>The chain's text does not parse, or a parameter in it is out of its range.</summary>
        InvalidChain = 2,

        /// <summary>A logit that may be sampled is NaN or +infinity.</summary>
        InvalidLogits = 3,

        /// <summary>Every token is masked or -infinity.</summary>
        EmptySupport = 4,

        /// <summary>A user's generator led to no solution, or returned NaN.</summary>
        NoConvergence = 5,

        /// <summary>The caller's buffers cannot hold the answer.</summary>
        BufferTooSmall = 6,

        /// <summary>Valid, but not with this chain, this version or on this machine.</summary>
        Unsupported = 7,

        /// <summary>A defect of the native library, caught before it could reach the caller.</summary>
        Internal = 8,
    }
}
