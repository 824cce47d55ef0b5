using System;
using System.Runtime.InteropServices;

namespace Bregman
{
    /// <summary>
    /// An array of candidates in pinned or native memory, with the layout of llama.cpp's <c>llama_token_data_array</c>.
    /// </summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CandidateArray
    {
        /// <summary>The candidates. They are changed in place; the pointer stays.</summary>
        public Candidate* Data;

        /// <summary>Number of candidates, at least 1.</summary>
        public UIntPtr Size;

        /// <summary>Position in <see cref="Data"/> of the selected token; -1 for none. Written only.</summary>
        public long Selected;

        /// <summary>Not 0 if the candidates are in descending order of logit. Written only.</summary>
        public byte Sorted;
    }
}
