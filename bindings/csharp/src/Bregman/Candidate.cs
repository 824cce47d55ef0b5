using System.Runtime.InteropServices;

namespace Bregman
{
    /// <summary>One candidate of an engine's own array, laid out as llama.cpp's <c>llama_token_data</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Candidate
    {
        /// <summary>Token id.</summary>
        public int Id;

        /// <summary>Logit.</summary>
        public float Logit;

        /// <summary>Probability; only written, never read.</summary>
        public float Probability;

        /// <summary>A candidate whose probability is not known yet.</summary>
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
