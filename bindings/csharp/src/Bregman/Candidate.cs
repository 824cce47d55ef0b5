using System.Runtime.InteropServices;

namespace Bregman
{
    /// <summary>A candidate of an engine's own array, with the layout of llama.cpp's <c>llama_token_data</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Candidate
    {
        /// <summary>Token id.</summary>
        public int Id;

        /// <summary>Logit.</summary>
        public float Logit;

        /// <summary>Probability; written only.</summary>
        public float Probability;

        /// <summary>A candidate with probability 0.</summary>
        /// <param name="id">Token id.</param>
        /// <param name="logit">Logit.</param>
        public Candidate(int id, float logit)
        {
            Id = id;
            Logit = logit;
            Probability = 0;
        }
    }
}
