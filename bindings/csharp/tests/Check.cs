using System;
using System.Collections.Generic;
using System.Linq;

namespace Bregman.Tests
{
    internal sealed class CheckFailed : Exception
    {
        internal CheckFailed(string message)
            : base(message)
        {
        }
    }

    internal static class Check
    {
        internal static void That(bool condition, string what)
        {
            if (!condition)
            {
                throw new CheckFailed(what);
            }
        }

        internal static void Equal<T>(T expected, T actual, string what = "")
        {
            That(EqualityComparer<T>.Default.Equals(expected, actual), what + ": expected " + expected + ", got " + actual);
        }

        internal static void SameSequence<T>(IEnumerable<T> expected, IEnumerable<T> actual, string what = "")
        {
            // Once, because the sequences may be evaluated lazily.
            T[] left = expected.ToArray(), right = actual.ToArray();
            That(
                left.SequenceEqual(right),
                what + ": expected " + string.Join(" ", left) + ", got " + string.Join(" ", right));
        }

        internal static void Near(double expected, double actual, double tolerance, string what = "")
        {
            // NaN is not near anything.
            That(Math.Abs(expected - actual) <= tolerance, what + ": expected " + expected + ", got " + actual);
        }

        internal static void Contains(string part, string text)
        {
            That(text.Contains(part), "`" + part + "` is not in `" + text + "`");
        }

        /// <summary>Runs an action that must throw exactly this exception, and returns the exception.</summary>
        internal static T Throws<T>(Action action)
            where T : Exception
        {
            try
            {
                action();
            }
            catch (T e) when (e.GetType() == typeof(T))
            {
                return e;
            }
            throw new CheckFailed("no " + typeof(T).Name);
        }

        internal static BregmanException Refused(Status status, Action action)
        {
            var e = Throws<BregmanException>(action);
            Equal(status, e.Status, "the status of `" + e.Message + "`");
            That(e.Message.Length > 0, "a refusal says why");
            return e;
        }
    }
}
