using System;
using Bregman.Interop;

namespace Bregman
{
    // Gates of mixtures of experts.
    public static unsafe partial class Decisions
    {
        /// <summary>
        /// Routes rows of router logits to experts by the convention of a model. For an engine that routes on the CPU, or checks
        /// its routing against a second implementation; not for a GPU, where the gate is part of a kernel.
        /// </summary>
        /// <param name="gate">The gate.</param>
        /// <param name="logits">Rows with a logit for each expert, row after row; finite or -infinity.</param>
        /// <returns>
        /// <see cref="Gate.TopK"/> experts of each row with their weights, in descending order of what they were chosen by
        /// (ties: ascending id).
        /// </returns>
        public static ExpertWeight[] Route(Gate gate, double[] logits)
        {
            if (gate == null)
            {
                throw new ArgumentNullException(nameof(gate));
            }
            var rows = Rows(NotNull(logits, nameof(logits)), nameof(logits), gate.Experts, nameof(gate.Experts));
            var bias = gate.Bias;
            if (bias != null && bias.Length != gate.Experts)
            {
                throw new ArgumentException(
                    "the bias has " + bias.Length + " elements, there are " + gate.Experts + " experts", nameof(gate));
            }
            var options = new NativeGateOptions
            {
                struct_size = (uint)sizeof(NativeGateOptions),
                convention = gate.Convention,
                experts = (UIntPtr)gate.Experts,
                top_k = Size(gate.TopK, nameof(gate.TopK)),
                groups = Size(gate.Groups, nameof(gate.Groups)),
                top_groups = Size(gate.TopGroups, nameof(gate.TopGroups)),
                scale = gate.Scale,
            };
            // A TopK that is too large fails before anything is written.
            var chosen = rows * Math.Min(gate.TopK, gate.Experts);
            var ids = new int[chosen];
            var weights = new double[chosen];
            Run((error, size) =>
            {
                var copy = options;
                fixed (double* correction = bias, from = logits, to = weights)
                fixed (int* into = ids)
                {
                    return NativeDecisions.bregman_route(&copy, correction, from, (UIntPtr)rows, into, to, error, size);
                }
            });
            var routes = new ExpertWeight[chosen];
            for (var i = 0; i < chosen; i++)
            {
                routes[i] = new ExpertWeight(ids[i], weights[i]);
            }
            return routes;
        }
    }
}
