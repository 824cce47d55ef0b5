namespace Bregman
{
    /// <summary>The law of best-of-n.</summary>
    public struct BestOfNLaw
    {
        internal BestOfNLaw(double[] law, double divergence, double winRate)
        {
            Law = law;
            Divergence = divergence;
            WinRate = winRate;
        }

        /// <summary>Probability of each outcome.</summary>
        public double[] Law { get; }

        /// <summary>Kullback-Leibler divergence from the law of one candidate, in nats.</summary>
        public double Divergence { get; }

        /// <summary>Probability of beating one more candidate; ties count one half.</summary>
        public double WinRate { get; }
    }

    /// <summary>Weights of candidates and their soft values.</summary>
    public struct SoftWeights
    {
        internal SoftWeights(double[] weights, double[] values)
        {
            Weights = weights;
            Values = values;
        }

        /// <summary>Weights, row after row; those of a row sum to 1.</summary>
        public double[] Weights { get; }

        /// <summary>The soft value of each row, in the unit of the values.</summary>
        public double[] Values { get; }
    }

    /// <summary>An expert that a row goes to.</summary>
    public struct ExpertWeight
    {
        internal ExpertWeight(int id, double weight)
        {
            Id = id;
            Weight = weight;
        }

        /// <summary>The expert, from 0.</summary>
        public int Id { get; }

        /// <summary>Its weight.</summary>
        public double Weight { get; }
    }

    /// <summary>The answer of <see cref="Decisions.NextArm"/>.</summary>
    public struct ChosenArm
    {
        internal ChosenArm(int arm, int leader)
        {
            Arm = arm;
            Leader = leader;
        }

        /// <summary>The arm to pull.</summary>
        public int Arm { get; }

        /// <summary>The leader: the same arm, or the one that it challenges.</summary>
        public int Leader { get; }
    }

    /// <summary>The answer of <see cref="Decisions.BestArm"/>.</summary>
    public struct ArmVerdict
    {
        internal ArmVerdict(bool stop, int best, double statistic, double threshold)
        {
            Stop = stop;
            Best = best;
            Statistic = statistic;
            Threshold = threshold;
        }

        /// <summary>Whether <see cref="Best"/> may be returned now.</summary>
        public bool Stop { get; }

        /// <summary>The arm with the largest mean (ties: the lowest); 0 if no arm was pulled.</summary>
        public int Best { get; }

        /// <summary>The evidence for it; 0 while an arm was not pulled, infinity for a single arm.</summary>
        public double Statistic { get; }

        /// <summary>What the statistic must reach.</summary>
        public double Threshold { get; }
    }

    /// <summary>The squared calibration error.</summary>
    public struct Calibration
    {
        internal Calibration(int cells, double squaredError, double variance, double lower, double upper, double pValue)
        {
            Cells = cells;
            SquaredError = squaredError;
            Variance = variance;
            Lower = lower;
            Upper = upper;
            PValue = pValue;
        }

        /// <summary>Number of cells with at least one sample.</summary>
        public int Cells { get; }

        /// <summary>An unbiased estimate; negative at times if the error is near 0.</summary>
        public double SquaredError { get; }

        /// <summary>Number of samples times the variance of <see cref="SquaredError"/>, estimated.</summary>
        public double Variance { get; }

        /// <summary>Lower end of the interval, at least 0.</summary>
        public double Lower { get; }

        /// <summary>Upper end of the interval.</summary>
        public double Upper { get; }

        /// <summary>p-value of the test that the probabilities are calibrated; NaN without resamples.</summary>
        public double PValue { get; }
    }
}
