using System;
using System.Collections.Generic;
using System.Linq;
using Bregman.Interop;

namespace Bregman
{
    // Drafts, and what they are made of: the distributions of many rows.
    public sealed unsafe partial class Sampler
    {
        /// <summary>Finds how many tokens of each draft are accepted, and draws the token that follows them.</summary>
        /// <remarks>
        /// <para>
        /// Before each row is decoded, the tokens accepted so far are in the history. Afterwards the accepted drafted tokens stay
        /// in it; the last new token is appended with <see cref="DecodeFlags.Accept"/>, else call <see cref="Accept(int)"/> with
        /// it. The random position moves by the number of new tokens.
        /// </para>
        /// <para>
        /// With <see cref="DraftRule.Match"/> tokens and results are those of decoding one row after the other. With the other
        /// rules tokens are drawn with random numbers of their own, so that a draft drawn with the same seed does no harm.
        /// </para>
        /// <para>Sequences are independent: one that fails changes nothing in its sampler and does not affect the others.</para>
        /// </remarks>
        /// <param name="samplers">A different one for each sequence.</param>
        /// <param name="drafts">One for each sequence.</param>
        /// <param name="logits">
        /// Consecutive rows, of which sequence s has one more than its draft has tokens: first the one after its accepted text, then
        /// those after each drafted token and what it follows. Read only.
        /// </param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="options">
        /// Stride, mask, flags and threads; <c>Rows</c>, <c>RowIndex</c> and <c>Answers</c> are null. Sparse rows are for
        /// <see cref="DraftRule.Match"/> only: the other rules accept a token by its exact probability, which a sparse row gives
        /// to 1e-6.
        /// </param>
        /// <returns>What was found for each sequence.</returns>
        /// <exception cref="ArgumentException">
        /// An array, a sampler or a draft is null, there are not as many drafts as samplers, lengths of a draft differ, or an array
        /// is too short.
        /// </exception>
        /// <exception cref="BregmanException">
        /// A sequence failed: the status, message and number (<c>Row</c>) of the first one. As for a row, and
        /// <see cref="Status.InvalidArgument"/> (a draft, such as a token that its law gives probability 0) or
        /// <see cref="Status.Unsupported"/> (a chain that learns, or sparse rows, with another rule than match).
        /// </exception>
        public static VerifiedDraft[] Verify(
            Sampler[] samplers, Draft[] drafts, float[] logits, int vocab, BatchOptions options = null)
        {
            NotNull(logits, nameof(logits));
            fixed (float* from = logits)
            {
                Verify(samplers, drafts, from, logits.Length, LogitFormat.F32, vocab, options, true, out var verified);
                return verified;
            }
        }

        /// <summary>Verifies drafts on rows of 16-bit logits.</summary>
        /// <param name="samplers">A different one for each sequence.</param>
        /// <param name="drafts">One for each sequence.</param>
        /// <param name="logits">The bits of consecutive rows. Read only.</param>
        /// <param name="format"><see cref="LogitFormat.F16"/> or <see cref="LogitFormat.BF16"/>.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="options">As for single precision.</param>
        /// <returns>What was found for each sequence.</returns>
        /// <exception cref="ArgumentException">As for single precision, or the format is not one of 16 bits.</exception>
        /// <exception cref="BregmanException">A sequence failed.</exception>
        public static VerifiedDraft[] Verify(
            Sampler[] samplers,
            Draft[] drafts,
            ushort[] logits,
            LogitFormat format,
            int vocab,
            BatchOptions options = null)
        {
            NotNull(logits, nameof(logits));
            SixteenBits(format);
            fixed (ushort* from = logits)
            {
                Verify(samplers, drafts, from, logits.Length, format, vocab, options, true, out var verified);
                return verified;
            }
        }

        /// <summary>Verifies drafts, without exceptions for errors of sequences.</summary>
        /// <param name="samplers">A different one for each sequence.</param>
        /// <param name="drafts">One for each sequence.</param>
        /// <param name="logits">Consecutive rows. Read only.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="verified">Receives what was found for each sequence, or its status.</param>
        /// <param name="options">Stride, mask, flags and threads.</param>
        /// <returns>Whether no sequence failed.</returns>
        /// <exception cref="ArgumentException">
        /// As for <see cref="Verify(Sampler[], Draft[], float[], int, BatchOptions)"/>.
        /// </exception>
        public static bool TryVerify(
            Sampler[] samplers,
            Draft[] drafts,
            float[] logits,
            int vocab,
            out VerifiedDraft[] verified,
            BatchOptions options = null)
        {
            NotNull(logits, nameof(logits));
            fixed (float* from = logits)
            {
                return Verify(samplers, drafts, from, logits.Length, LogitFormat.F32, vocab, options, false, out verified);
            }
        }

        /// <summary>The decoded distribution of each row under its own sampler. Draws nothing and advances nothing.</summary>
        /// <param name="samplers">A different one for each row.</param>
        /// <param name="logits">Consecutive rows. Read only.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="options">
        /// Stride, mask, row index, sparse rows, and threads, with more than one of which every row is decoded twice; no flags and
        /// no <c>Answers</c>.
        /// </param>
        /// <returns>A distribution for each row, in descending order of probability (ties: ascending id).</returns>
        /// <exception cref="ArgumentException">
        /// An array or a sampler is null, an array is too short for the rows, or a number is out of range.
        /// </exception>
        /// <exception cref="BregmanException">A row failed: the status, message and number of the first one.</exception>
        public static TokenProbability[][] DistributionBatch(
            Sampler[] samplers, float[] logits, int vocab, BatchOptions options = null)
        {
            NotNull(logits, nameof(logits));
            fixed (float* from = logits)
            {
                return DistributionBatch(samplers, from, logits.Length, LogitFormat.F32, vocab, options);
            }
        }

        /// <summary>The decoded distributions of rows of 16-bit logits.</summary>
        /// <param name="samplers">A different one for each row.</param>
        /// <param name="logits">The bits of consecutive rows. Read only.</param>
        /// <param name="format"><see cref="LogitFormat.F16"/> or <see cref="LogitFormat.BF16"/>.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="options">As for single precision.</param>
        /// <returns>As for single precision.</returns>
        /// <exception cref="ArgumentException">As for single precision, or the format is not one of 16 bits.</exception>
        /// <exception cref="BregmanException">A row failed.</exception>
        public static TokenProbability[][] DistributionBatch(
            Sampler[] samplers, ushort[] logits, LogitFormat format, int vocab, BatchOptions options = null)
        {
            NotNull(logits, nameof(logits));
            SixteenBits(format);
            fixed (ushort* from = logits)
            {
                return DistributionBatch(samplers, from, logits.Length, format, vocab, options);
            }
        }

        private static TokenProbability[][] DistributionBatch(
            Sampler[] samplers, void* logits, long length, LogitFormat format, int vocab, BatchOptions options)
        {
            NotNull(samplers, nameof(samplers));
            options = options ?? Defaults;
            var rows = Rows(samplers, int.MaxValue, options);
            var index = Sizes(options.RowIndex, rows, "options.RowIndex");
            var offsets = new UIntPtr[rows + 1];
            int[] ids;
            float[] probabilities;
            var entered = new Entered();
            fixed (uint* mask = options.Mask, lengths = options.Lengths)
            fixed (int* sparse = options.Ids)
            fixed (double* logRest = options.LogRest)
            fixed (float* bound = options.Bound)
            fixed (UIntPtr* starts = offsets, rowIndex = index)
            {
                if (rows == 0)
                {
                    return new TokenProbability[0][];
                }
                var batch = Describe(rows, logits, length, format, vocab, options, index);
                Point(&batch, mask, sparse, lengths, logRest, bound, rowIndex);
                if (options.Answers != null || options.Flags != DecodeFlags.None)
                {
                    throw new ArgumentException("has Answers or Flags", nameof(options));
                }
                try
                {
                    entered.Enter(samplers, rows);
                    batch.threads = entered.CallsBack && !PoolMayCallBack ? 0 : batch.threads;
                    Status status;
                    var room = 64 * rows;
                    do
                    {
                        ids = new int[room];
                        probabilities = new float[room];
                        fixed (IntPtr* handles = entered.Handles)
                        fixed (int* idPointer = ids)
                        fixed (float* pointer = probabilities)
                        {
                            status = NativeMethods.bregman_distribution_batch(
                                handles, &batch, starts, idPointer, pointer, (UIntPtr)room);
                        }
                        room = (int)offsets[rows];
                    }
                    while (room > ids.Length);
                    // A row that did not fail has at least one token.
                    var failed = Enumerable.Range(0, rows).FirstOrDefault(row => offsets[row] == offsets[row + 1]);
                    if (status != Status.Ok)
                    {
                        throw new BregmanException(status, entered.Message(failed), failed);
                    }
                }
                finally
                {
                    entered.Leave();
                }
            }
            var all = new TokenProbability[rows][];
            for (var row = 0; row < rows; row++)
            {
                var first = (int)offsets[row];
                all[row] = new TokenProbability[(int)offsets[row + 1] - first];
                for (var i = 0; i < all[row].Length; i++)
                {
                    all[row][i] = new TokenProbability(ids[first + i], probabilities[first + i]);
                }
            }
            return all;
        }

        /// <summary>
        /// Answers about the model's distribution of rows, without samplers: for prompts, and for scores of choices.
        /// </summary>
        /// <param name="logits">Consecutive rows. Read only.</param>
        /// <param name="rows">Number of rows, or of indices if the options have a <c>RowIndex</c>.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="answers">
        /// The source is the model. The most likely tokens and those about given tokens may be asked for; the others are about a
        /// decoded token. A row that fails has NaN, ranks 0 and ids -1.
        /// </param>
        /// <param name="options">
        /// Stride, threads, row index and sparse rows, of whose tokens those that are not listed have NaN; no mask, no flags, no
        /// <c>Rows</c> and no <c>Answers</c>.
        /// </param>
        /// <exception cref="ArgumentException">
        /// The logits or the answers are null, an array is too short for the rows, a number is out of range, or another option is
        /// set.
        /// </exception>
        /// <exception cref="BregmanException">The status of the first row that failed, or an answer that cannot be given.</exception>
        public static void ModelAnswers(
            float[] logits, int rows, int vocab, BatchAnswers answers, BatchOptions options = null)
        {
            NotNull(logits, nameof(logits));
            fixed (float* from = logits)
            {
                ModelAnswers(from, logits.Length, LogitFormat.F32, rows, vocab, answers, options);
            }
        }

        /// <summary>Answers about the model's distribution of rows of 16-bit logits.</summary>
        /// <param name="logits">The bits of consecutive rows. Read only.</param>
        /// <param name="format"><see cref="LogitFormat.F16"/> or <see cref="LogitFormat.BF16"/>.</param>
        /// <param name="rows">Number of rows, or of indices.</param>
        /// <param name="vocab">Logits per row, at least 1.</param>
        /// <param name="answers">As for single precision.</param>
        /// <param name="options">As for single precision.</param>
        /// <exception cref="ArgumentException">As for single precision, or the format is not one of 16 bits.</exception>
        /// <exception cref="BregmanException">As for single precision.</exception>
        public static void ModelAnswers(
            ushort[] logits, LogitFormat format, int rows, int vocab, BatchAnswers answers, BatchOptions options = null)
        {
            NotNull(logits, nameof(logits));
            SixteenBits(format);
            fixed (ushort* from = logits)
            {
                ModelAnswers(from, logits.Length, format, rows, vocab, answers, options);
            }
        }

        private static void ModelAnswers(
            void* logits, long length, LogitFormat format, int rows, int vocab, BatchAnswers answers, BatchOptions options)
        {
            NotNull(answers, nameof(answers));
            Range(rows, 0, nameof(rows));
            options = options ?? Defaults;
            if (options.Rows != null || options.Mask != null || options.Answers != null || options.Flags != DecodeFlags.None)
            {
                throw new ArgumentException("has Rows, Mask, Answers or Flags", nameof(options));
            }
            if (rows == 0)
            {
                return;
            }
            Loader.Ensure();
            var index = Sizes(options.RowIndex, rows, "options.RowIndex");
            var batch = Describe(rows, logits, length, format, vocab, options, index);
            Check(answers, rows, vocab);
            fixed (uint* lengths = options.Lengths)
            fixed (int* ids = options.Ids)
            fixed (double* logRest = options.LogRest)
            fixed (float* bound = options.Bound)
            fixed (UIntPtr* rowIndex = index)
            {
                Point(&batch, null, ids, lengths, logRest, bound, rowIndex);
                var status = Call(null, &batch, null, answers);
                if (status != Status.Ok)
                {
                    throw new BregmanException(status, BregmanLibrary.StatusText(status));
                }
            }
        }

        private static bool Verify(
            Sampler[] samplers,
            Draft[] drafts,
            void* logits,
            long length,
            LogitFormat format,
            int vocab,
            BatchOptions options,
            bool throwing,
            out VerifiedDraft[] verified)
        {
            NotNull(samplers, nameof(samplers));
            var flat = new FlatDrafts(drafts);
            options = options ?? Defaults;
            SameLength(samplers.Length, drafts.Length, nameof(drafts));
            if (options.Rows != null || options.RowIndex != null || options.Answers != null)
            {
                throw new ArgumentException("has Rows, RowIndex or Answers", nameof(options));
            }
            verified = new VerifiedDraft[drafts.Length];
            if (drafts.Length == 0)
            {
                return true;
            }
            var accepted = new uint[drafts.Length];
            var path = new int[flat.Rows];
            var results = new DecodeResult[flat.Rows];
            var entered = new Entered();
            try
            {
                Status status;
                fixed (float* bound = options.Bound)
                fixed (uint* mask = options.Mask, counts = accepted, lengths = options.Lengths)
                fixed (int* places = path, sparse = options.Ids)
                fixed (double* logRest = options.LogRest)
                fixed (DecodeResult* to = results)
                {
                    var batch = Describe(flat.Rows, logits, length, format, vocab, options);
                    Point(&batch, mask, sparse, lengths, logRest, bound, null);
                    entered.Enter(samplers, samplers.Length);
                    batch.threads = entered.CallsBack && !PoolMayCallBack ? 0 : batch.threads;
                    fixed (IntPtr* handles = entered.Handles)
                    {
                        status = flat.Verify(handles, &batch, counts, places, to);
                    }
                }
                for (int s = 0, row = 0; s < drafts.Length; row += drafts[s].Tokens.Length + 1, s++)
                {
                    var failed = results[row].Status != Status.Ok;
                    verified[s] = new VerifiedDraft(
                        results[row].Status,
                        results.Skip(row).Take(failed ? 0 : (int)accepted[s] + 1).ToArray(),
                        path.Skip(row).Take((int)accepted[s]).ToArray());
                    if (failed && throwing)
                    {
                        throw new BregmanException(results[row].Status, entered.Message(s), s);
                    }
                }
                return status == Status.Ok;
            }
            finally
            {
                entered.Leave();
            }
        }

        /// <summary>Drafts in arrays of all of them, one after the other.</summary>
        private sealed class FlatDrafts
        {
            private readonly Draft[] drafts;
            private readonly List<int> tokens = new List<int>();
            private readonly List<int> parents = new List<int>();
            private readonly List<UIntPtr> offsets = new List<UIntPtr>();
            private readonly List<int> ids = new List<int>();
            private readonly List<float> probabilities = new List<float>();

            // Where the entries of each draft's laws begin; its offsets count from there.
            private readonly List<int> entries = new List<int>();

            internal FlatDrafts(Draft[] drafts)
            {
                NotNull(drafts, nameof(drafts));
                this.drafts = drafts;
                foreach (var draft in drafts)
                {
                    NotNull(draft, nameof(drafts));
                    Rows += draft.Tokens.Length + 1;
                    tokens.AddRange(draft.Tokens);
                    SameLength(draft.Tokens.Length, (draft.Parents ?? draft.Tokens).Length, "drafts.Parents");
                    // Room for those that have none, so that the places of all lists agree.
                    parents.AddRange(draft.Parents ?? draft.Tokens);
                    Add(draft.Laws, draft.Tokens.Length);
                }
            }

            internal int Rows { get; }

            internal Status Verify(
                IntPtr* samplers, NativeBatch* batch, uint* accepted, int* path, DecodeResult* results)
            {
                var native = new NativeDraft[drafts.Length];
                fixed (NativeDraft* list = native)
                fixed (int* tokenList = Filled(tokens), parentList = Filled(parents), idList = Filled(ids))
                fixed (UIntPtr* offsetList = offsets.ToArray())
                fixed (float* probabilityList = Filled(probabilities))
                {
                    for (int s = 0, token = 0; s < drafts.Length; token += drafts[s].Tokens.Length, s++)
                    {
                        native[s] = new NativeDraft
                        {
                            struct_size = (uint)sizeof(NativeDraft),
                            rule = drafts[s].Rule,
                            tokens = tokenList + token,
                            n = (UIntPtr)drafts[s].Tokens.Length,
                            parents = drafts[s].Parents == null ? null : parentList + token,
                            // Each draft has one offset more than tokens.
                            q_offsets = drafts[s].Laws == null ? null : offsetList + token + s,
                            q_ids = idList + entries[s],
                            q_probs = probabilityList + entries[s],
                        };
                    }
                    return NativeMethods.bregman_verify(
                        samplers, list, (UIntPtr)drafts.Length, batch, accepted, path, results);
                }
            }

            private void Add(TokenProbability[][] laws, int count)
            {
                SameLength(count, laws == null ? count : laws.Length, "drafts.Laws");
                entries.Add(ids.Count);
                for (var i = 0; i < count; i++)
                {
                    offsets.Add((UIntPtr)(ids.Count - entries.Last()));
                    if (laws == null)
                    {
                        continue;
                    }
                    NotNull(laws[i], "drafts.Laws");
                    ids.AddRange(laws[i].Select(entry => entry.Token));
                    probabilities.AddRange(laws[i].Select(entry => entry.Probability));
                }
                offsets.Add((UIntPtr)(ids.Count - entries.Last()));
            }

            // A pointer to an empty array would be null.
            private static T[] Filled<T>(List<T> list)
            {
                return list.Count == 0 ? new T[1] : list.ToArray();
            }
        }
    }
}
