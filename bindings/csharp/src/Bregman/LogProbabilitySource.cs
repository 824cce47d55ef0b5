namespace Bregman
{
    /// <summary>Source of log-probabilities and ranks.</summary>
    public enum LogProbabilitySource : uint
    {
        /// <summary>The model: the untouched logits (no mask, no bias, no stage, temperature 1).</summary>
        OfModel = 0,

        /// <summary>The decoded distribution.</summary>
        OfDecoded = 1,
    }
}
