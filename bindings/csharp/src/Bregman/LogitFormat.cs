namespace Bregman
{
    /// <summary>Number format of logits.</summary>
    public enum LogitFormat : uint
    {
        /// <summary>IEEE single precision: <see cref="float"/>.</summary>
        F32 = 0,

        /// <summary>IEEE half precision: its 16 bits in a <see cref="ushort"/>.</summary>
        F16 = 1,

        /// <summary>bfloat16, the upper half of a <see cref="float"/>: its 16 bits in a <see cref="ushort"/>.</summary>
        BF16 = 2,
    }
}
