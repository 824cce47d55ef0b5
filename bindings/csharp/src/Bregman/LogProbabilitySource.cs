namespace Bregman
{
    /// <summary>Whose log-probabilities are asked for.</summary>
    public enum LogProbabilitySource : uint
    {
        /// <summary>The model's, of the untouched logits: no mask, no bias, no stage, temperature 1.</summary>
        OfModel = 0,

        /// <summary>Those of the decoded distribution.</summary>
        OfDecoded = 1,
    }
}
