using System;
using Bregman.Interop;

namespace Bregman
{
    // Which arm to pull, and when to stop.
    public static unsafe partial class Decisions
    {
        /// <summary>
        /// The arm to pull next to find the one with the largest mean reward: a candidate to judge, a prompt to try. For a host that
        /// pays for every answer of a judge; not for earning rewards on the way. An arm without pulls comes first, the lowest
        /// one.
        /// </summary>
        /// <param name="options">The rule.</param>
        /// <param name="means">
        /// The mean reward of each arm so far, for <see cref="RewardLaw.Bernoulli"/> from 0 to 1; not read for an arm without
        /// pulls.
        /// </param>
        /// <param name="pulls">How often each was pulled.</param>
        /// <param name="seed">The random numbers, with the position.</param>
        /// <param name="position">The number of pulls so far, so that no two calls use the same random numbers.</param>
        /// <returns>The arm and the leader.</returns>
        public static ChosenArm NextArm(ArmOptions options, double[] means, ulong[] pulls, ulong seed, ulong position)
        {
            if (options == null)
            {
                throw new ArgumentNullException(nameof(options));
            }
            SameLength(NotNull(pulls, nameof(pulls)), nameof(pulls), NotNull(means, nameof(means)), nameof(means));
            var rule = new NativeArmOptions
            {
                struct_size = (uint)sizeof(NativeArmOptions),
                rule = options.Rule,
                rewards = options.Rewards,
                redraws = options.Redraws,
                sigma = options.Sigma,
                beta = options.Beta,
            };
            int arm = 0, leader = 0;
            Run((error, size) =>
            {
                var copy = rule;
                UIntPtr chosen, first;
                fixed (double* mean = means)
                fixed (ulong* count = pulls)
                {
                    var status = NativeDecisions.bregman_next_arm(
                        &copy, mean, count, (UIntPtr)means.Length, seed, position, &chosen, &first, error, size);
                    if (status == Status.Ok)
                    {
                        arm = (int)chosen;
                        leader = (int)first;
                    }
                    return status;
                }
            });
            return new ChosenArm(arm, leader);
        }

        /// <summary>Whether the arms were pulled often enough to return the best one.</summary>
        /// <param name="rewards">What the rewards are like.</param>
        /// <param name="sigma">
        /// <see cref="RewardLaw.Gaussian"/>: the standard deviation of one reward. <see cref="RewardLaw.Bernoulli"/>: 0.
        /// </param>
        /// <param name="means">As for <see cref="NextArm"/>.</param>
        /// <param name="pulls">As for <see cref="NextArm"/>.</param>
        /// <param name="delta">The accepted probability of a wrong arm, above 0 and below 1.</param>
        /// <returns>The verdict.</returns>
        public static ArmVerdict BestArm(RewardLaw rewards, double sigma, double[] means, ulong[] pulls, double delta)
        {
            SameLength(NotNull(pulls, nameof(pulls)), nameof(pulls), NotNull(means, nameof(means)), nameof(means));
            var verdict = new NativeVerdict();
            Run((error, size) =>
            {
                var to = new NativeVerdict { struct_size = (uint)sizeof(NativeVerdict) };
                fixed (double* mean = means)
                fixed (ulong* count = pulls)
                {
                    var status = NativeDecisions.bregman_best_arm(
                        rewards, sigma, mean, count, (UIntPtr)means.Length, delta, &to, error, size);
                    verdict = to;
                    return status;
                }
            });
            return new ArmVerdict(verdict.stop != 0, (int)verdict.best, verdict.statistic, verdict.threshold);
        }
    }
}
