using System;
using Bregman.Interop;

namespace Bregman
{
    // Best-of-n and soft values.
    public static unsafe partial class Decisions
    {
        /// <summary>
        /// The law of best-of-n: of <paramref name="n"/> independent candidates the one with the highest reward is returned. For
        /// a host that reranks samples and wants to know what comes out; not for choosing among given candidates, which is a
        /// comparison of their rewards.
        /// </summary>
        /// <param name="p">
        /// Weights of the outcomes under the law of one candidate: not negative, and they need not sum to 1.
        /// </param>
        /// <param name="rewards">
        /// The reward of each, which may be infinite; equal ones are a tie, which the first candidate drawn wins.
        /// </param>
        /// <param name="n">Number of candidates, at least 1.</param>
        /// <returns>The law with its divergence and win rate.</returns>
        public static BestOfNLaw BestOfN(double[] p, double[] rewards, ulong n)
        {
            SameLength(NotNull(rewards, nameof(rewards)), nameof(rewards), NotNull(p, nameof(p)), nameof(p));
            var law = new double[p.Length];
            double kl = 0, winRate = 0;
            Run((error, size) =>
            {
                double divergence, rate;
                fixed (double* from = p, by = rewards, to = law)
                {
                    var status = NativeDecisions.bregman_best_of_n(
                        from, by, (UIntPtr)p.Length, n, to, &divergence, &rate, error, size);
                    kl = divergence;
                    winRate = rate;
                    return status;
                }
            });
            return new BestOfNLaw(law, kl, winRate);
        }

        /// <summary>
        /// What best-of-n cannot exceed, whatever the model and the reward. For a host that reports how far a reranker can depart
        /// from the model.
        /// </summary>
        /// <param name="n">Number of candidates, at least 1.</param>
        /// <param name="winRate">Receives n / (n + 1), the largest win rate against one candidate.</param>
        /// <returns>ln n - (n - 1) / n, the largest divergence from the law of one candidate, in nats.</returns>
        public static double BestOfNBounds(ulong n, out double winRate)
        {
            double kl = 0, rate = 0;
            Run((error, size) =>
            {
                double first, second;
                var status = NativeDecisions.bregman_best_of_n_bounds(n, &first, &second, error, size);
                kl = first;
                rate = second;
                return status;
            });
            winRate = rate;
            return kl;
        }

        /// <summary>
        /// Estimates of the divergence of best-of-n from the model, in nats, one for each prompt. For a report on a reranker,
        /// which states their mean.
        /// </summary>
        /// <param name="logEpsilons">
        /// ln of the probability of each returned answer under the model, at most 0; of a sequence, the sum of its tokens'
        /// log-probabilities.
        /// </param>
        /// <param name="n">Number of candidates of each prompt, at least 1.</param>
        /// <returns>As many estimates.</returns>
        public static double[] BestOfNDivergenceEstimates(double[] logEpsilons, ulong n)
        {
            var estimates = new double[NotNull(logEpsilons, nameof(logEpsilons)).Length];
            Run((error, size) =>
            {
                fixed (double* from = logEpsilons, to = estimates)
                {
                    return NativeDecisions.bregman_best_of_n_kl_estimates(
                        from, (UIntPtr)estimates.Length, n, to, error, size);
                }
            });
            return estimates;
        }

        /// <summary>
        /// Weights w ∝ exp(v / α + l) of candidates, and the soft value α ln of the mean of exp(v / α + l). For a host that steers a
        /// generation by a value of its continuations; not for drawing one, which <c>draw</c> over ln w does.
        /// </summary>
        /// <param name="values">Values of candidates, row after row; finite or -infinity.</param>
        /// <param name="candidates">Number of candidates of each row, at least 1.</param>
        /// <param name="alpha">α, positive and finite, in the unit of the values.</param>
        /// <param name="logRatios">
        /// Null if the candidates were drawn from the model; otherwise l of each, ln of its probability under the model less
        /// ln of that under the proposal. Default: null.
        /// </param>
        /// <returns>A weight for each value, and a soft value for each row.</returns>
        public static SoftWeights SoftValues(double[] values, int candidates, double alpha, double[] logRatios = null)
        {
            var rows = Rows(NotNull(values, nameof(values)), nameof(values), candidates, nameof(candidates));
            if (logRatios != null)
            {
                SameLength(logRatios, nameof(logRatios), values, nameof(values));
            }
            var weights = new double[values.Length];
            var soft = new double[rows];
            Run((error, size) =>
            {
                fixed (double* from = values, ratios = logRatios, to = weights, of = soft)
                {
                    return NativeDecisions.bregman_soft_values(
                        from, ratios, (UIntPtr)rows, (UIntPtr)candidates, alpha, to, of, error, size);
                }
            });
            return new SoftWeights(weights, soft);
        }
    }
}
