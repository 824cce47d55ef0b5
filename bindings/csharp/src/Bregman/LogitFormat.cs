namespace Bregman
{
    /// <summary>Format of logits.</summary>
    public enum LogitFormat : uint
    {
        /// <summary>IEEE 754 single precision: <see cref="float"/>.</summary>
        F32 = 0,

        /// <summary>IEEE 754 half precision: its 16 bits in a <see cref="ushort"/>.</summary>
        F16 = 1,

        /// <summary>bfloat16, the upper half of a <see cref="float"/>: its 16 bits in a <see cref="ushort"/>.</summary>
        BF16 = 2,
    }
}
