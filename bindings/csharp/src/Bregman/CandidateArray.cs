using System;
using System.Runtime.InteropServices;

namespace Bregman
{
    /// <summary>An array of candidates in memory that does not move, laid out as llama.cpp's <c>llama_token_data_array</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CandidateArray
    {
        /// <summary>The candidates: changed in place, never moved elsewhere.</summary>
        public Candidate* Data;

        /// <summary>How many there are, at least 1; never 0 after a call that succeeded.</summary>
        public UIntPtr Size;

        /// <summary>Position in <see cref="Data"/> of the token that was taken; -1 for none.</summary>
        public long Selected;

        /// <summary>Not 0 if the candidates are in descending order of logit. Only written, never trusted.</summary>
        public byte Sorted;
    }
}
