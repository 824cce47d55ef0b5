using System;
using System.Collections.Generic;
using System.Linq;

namespace Bregman.Tests
{
    /// <summary>Saved states, going back, and rows that leave the state as it is.</summary>
    internal static class SavedTests
    {
        private static readonly string[] Chains =
        {
            "mirostat(tau=3)", "mirostat_v2(tau=3)", "adaptive_p(target=0.4)", "penalties(repeat=1.3) | draw",
            "top_k(20) | gumbel",
        };

        private static readonly float[][] Rows = Enumerable.Range(0, 24).Select(r => Inputs.Row(200, (ulong)r)).ToArray();

        [Test]
        public static void ASequenceGoesOnFromItsState()
        {
            foreach (var chain in Chains)
            {
                using (var undisturbed = new Sampler(chain, 7))
                {
                    var moved = new Sampler(chain, 7);
                    undisturbed.Accept(new[] { 1, 2 });
                    moved.Accept(new[] { 1, 2 });
                    var history = new List<int> { 1, 2 };
                    foreach (var row in Rows)
                    {
                        var state = moved.Save();
                        moved.Dispose();
                        moved = Sampler.Load(state);
                        Check.SameSequence(state, moved.Save(), "the state");
                        history.Add(Step(undisturbed, row));
                        Check.Equal(history.Last(), Step(moved, row), chain);
                    }
                    Check.SameSequence(history, moved.History(), "the history");
                    Check.Equal(7ul, moved.Seed);
                    Check.Equal((ulong)Rows.Length, moved.Position);
                    Check.Equal(2, moved.PromptLength);
                    Check.SameSequence(undisturbed.Save(), moved.Save(), chain);
                    moved.Dispose();
                }
            }
        }

        [Test]
        public static void RewindTakesTokensBack()
        {
            foreach (var chain in Chains)
            {
                using (var sampler = new Sampler(chain, 9))
                {
                    var states = new List<byte[]>();
                    var tokens = new List<int>();
                    foreach (var row in Rows)
                    {
                        states.Add(sampler.Save());
                        tokens.Add(Step(sampler, row));
                    }
                    Check.Refused(Status.InvalidArgument, () => sampler.Rewind(Rows.Length + 1));
                    Check.Throws<ArgumentOutOfRangeException>(() => sampler.Rewind(-1));
                    foreach (var n in new[] { 0, 7, Rows.Length })
                    {
                        sampler.Rewind(n);
                        if (n > 0 && n < Rows.Length)
                        {
                            Check.SameSequence(states[Rows.Length - n], sampler.Save(), chain);
                        }
                        for (var r = Rows.Length - n; r < Rows.Length; r++)
                        {
                            Check.Equal(tokens[r], Step(sampler, Rows[r]), chain);
                        }
                    }
                }
            }
        }

        [Test]
        public static void StayLeavesTheState()
        {
            foreach (var chain in Chains)
            {
                using (var sampler = new Sampler(chain, 11))
                using (var plain = new Sampler(chain, 11))
                {
                    foreach (var row in Rows)
                    {
                        var before = sampler.Position;
                        var first = sampler.Decode(row, DecodeFlags.Stay | DecodeFlags.LnKeptMass);
                        Check.Equal(before, sampler.Position);
                        Check.That(first.LnKeptMass <= 0, "ln of a mass");
                        Check.Equal(first.Token, Step(sampler, row), chain);
                        Check.Equal(first.Token, Step(plain, row), chain);
                    }
                    Check.Refused(
                        Status.InvalidArgument, () => sampler.Decode(Rows[0], DecodeFlags.Stay | DecodeFlags.Accept));
                }
            }
        }

        [Test]
        public static void GeneratorsArePassedToLoad()
        {
            var mine = new Generator("mine", x => x * x / 2, x => x, y => y);
            using (var sampler = new Sampler("bregman(generator=mine, lambda=0.01) | draw", 1, mine))
            {
                var state = sampler.Save();
                Check.Contains("mine", Check.Refused(Status.InvalidArgument, () => Sampler.Load(state)).Message);
                using (var other = Sampler.Load(state, mine))
                {
                    Check.SameSequence(Inputs.Draw(sampler, Rows[0], 20), Inputs.Draw(other, Rows[0], 20));
                }
            }
        }

        [Test]
        public static void BytesThatAreNoStateAreRefused()
        {
            using (var sampler = new Sampler("draw", 1))
            {
                Step(sampler, Rows[0]);
                var state = sampler.Save();
                for (var i = 0; i < state.Length; i++)
                {
                    var wrong = (byte[])state.Clone();
                    wrong[i] ^= 4;
                    Check.Refused(Status.InvalidArgument, () => Sampler.Load(wrong));
                    Check.Refused(Status.InvalidArgument, () => Sampler.Load(state.Take(i).ToArray()));
                }
                Check.Throws<ArgumentNullException>(() => Sampler.Load((byte[])null));
                Check.Throws<ArgumentException>(() => Sampler.Load(state, new Generator[] { null }));
                sampler.Dispose();
                Check.Throws<ObjectDisposedException>(() => sampler.Save());
                Check.Throws<ObjectDisposedException>(() => sampler.History());
                Check.Throws<ObjectDisposedException>(() => sampler.Rewind(0));
                Check.Throws<ObjectDisposedException>(() => sampler.Seed.ToString());
            }
        }

#if NETCOREAPP3_0_OR_GREATER
        [Test]
        public static void SpansHoldStates()
        {
            using (var sampler = new Sampler("draw", 1))
            {
                Step(sampler, Rows[0]);
                var state = sampler.Save();
                var room = new byte[state.Length + 3];
                Check.That(!sampler.TrySave(room.AsSpan(0, state.Length - 1), out var length), "too short");
                Check.Equal(state.Length, length);
                Check.That(sampler.TrySave(room, out length), "long enough");
                Check.SameSequence(state, room.Take(length));
                using (var other = Sampler.Load(room.AsSpan(0, length)))
                {
                    Check.Equal(Step(sampler, Rows[1]), Step(other, Rows[1]));
                }
                Check.Refused(Status.InvalidArgument, () => Sampler.Load(ReadOnlySpan<byte>.Empty));
            }
        }
#endif

        internal static int Step(Sampler sampler, float[] row)
        {
            return sampler.Decode(row, DecodeFlags.Accept).Token;
        }
    }
}
