namespace Bregman
{
    /// <summary>How a model turns router logits h into experts and weights.</summary>
    public enum GateConvention : uint
    {
        /// <summary>Softmax over all experts, the k largest, renormalised.</summary>
        Mixtral = 0,

        /// <summary>Qwen2-MoE: softmax over all experts, the k largest, not renormalised.</summary>
        Qwen2 = 1,

        /// <summary>Qwen3-MoE: as Mixtral.</summary>
        Qwen3 = 2,

        /// <summary>gpt-oss: the k largest logits, softmax over these; the same weights as Mixtral's.</summary>
        GptOss = 3,

        /// <summary>The k largest logits, the sigmoid of each.</summary>
        Llama4 = 4,

        /// <summary>
        /// And GLM-4-MoE: s = sigmoid(h); the k largest s + bias within the best groups of experts; weights
        /// s / (Σs + 1e-20) times the scale.
        /// </summary>
        DeepSeekV3 = 5,
    }

    /// <summary>What the rewards of an arm are like.</summary>
    public enum RewardLaw : uint
    {
        /// <summary>Normal with a known standard deviation, the same for all arms.</summary>
        Gaussian = 0,

        /// <summary>0 or 1.</summary>
        Bernoulli = 1,
    }

    /// <summary>How the challenger of the leader is found.</summary>
    public enum ArmRule : uint
    {
        /// <summary>Top-two Thompson sampling: the posterior is drawn again until another arm leads.</summary>
        Ttts = 0,

        /// <summary>The arm with the smallest transport cost from the leader; of several the draw decides.</summary>
        T3C = 1,
    }

    /// <summary>The gate of a mixture of experts, for <see cref="Decisions.Route"/>.</summary>
    public sealed class Gate
    {
        /// <summary>The convention. Default: <see cref="GateConvention.Mixtral"/>.</summary>
        public GateConvention Convention { get; set; }

        /// <summary>Number of experts, at least 1.</summary>
        public int Experts { get; set; }

        /// <summary>Number of experts for each row, from 1 to the number that can be chosen.</summary>
        public int TopK { get; set; }

        /// <summary>
        /// <see cref="GateConvention.DeepSeekV3"/>: number of groups of consecutive experts. Default: 0, for 1.
        /// </summary>
        public int Groups { get; set; }

        /// <summary>
        /// <see cref="GateConvention.DeepSeekV3"/>: number of groups from which experts are chosen. Default: 0, for all.
        /// </summary>
        public int TopGroups { get; set; }

        /// <summary><see cref="GateConvention.DeepSeekV3"/>: factor of the weights. Default: 0, for 1.</summary>
        public double Scale { get; set; }

        /// <summary>
        /// <see cref="GateConvention.DeepSeekV3"/>: correction of each expert for the choice alone. Default: null, for none.
        /// </summary>
        public double[] Bias { get; set; }
    }

    /// <summary>The rule of <see cref="Decisions.NextArm"/>.</summary>
    public sealed class ArmOptions
    {
        /// <summary>How the challenger of the leader is found. Default: <see cref="ArmRule.T3C"/>.</summary>
        public ArmRule Rule { get; set; } = ArmRule.T3C;

        /// <summary>What the rewards are like. Default: <see cref="RewardLaw.Bernoulli"/>.</summary>
        public RewardLaw Rewards { get; set; } = RewardLaw.Bernoulli;

        /// <summary>
        /// <see cref="ArmRule.Ttts"/>: after so many draws with the same leader the challenger is T3C's; 0 for 1000. Otherwise 0.
        /// Default: 0.
        /// </summary>
        public uint Redraws { get; set; }

        /// <summary>
        /// <see cref="RewardLaw.Gaussian"/>: the standard deviation of one reward, positive. Otherwise 0. Default: 0.
        /// </summary>
        public double Sigma { get; set; }

        /// <summary>Probability of pulling the leader, above 0 and at most 1. Default: 0.5.</summary>
        public double Beta { get; set; } = 0.5;
    }
}
