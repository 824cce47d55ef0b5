using System;
using Bregman.Interop;

namespace Bregman
{
    /// <summary>
    /// Decisions beside the decoder: among finished candidates, experts or answers instead of tokens. All members are
    /// thread-safe, and their numbers have the same bits on every machine and in every language.
    /// </summary>
    /// <remarks>
    /// Every member throws <see cref="ArgumentException"/> for arrays that are null or whose lengths do not fit,
    /// <see cref="BregmanException"/> (<see cref="Status.InvalidArgument"/>) for a number out of its range, and what
    /// <see cref="BregmanLibrary"/> throws if the native library is missing. The page docs/decisions.md of the sources says what
    /// a chain over a row of rewards or router logits does already.
    /// </remarks>
    public static unsafe partial class Decisions
    {
        private const int LongestMessage = 1024;

        private delegate Status Call(byte* error, UIntPtr size);

        /// <summary>Calls a function with a buffer for the message of a failure, which becomes an exception.</summary>
        private static void Run(Call call)
        {
            Loader.Ensure();
            var error = stackalloc byte[LongestMessage];
            error[0] = 0;
            var status = call(error, (UIntPtr)LongestMessage);
            if (status != Status.Ok)
            {
                throw new BregmanException(status, Utf8.Read(error));
            }
        }

        private static T[] NotNull<T>(T[] array, string name)
        {
            return array ?? throw new ArgumentNullException(name);
        }

        private static void SameLength(Array array, string name, Array other, string otherName)
        {
            if (array.Length != other.Length)
            {
                throw new ArgumentException(
                    name + " has " + array.Length + " elements, " + otherName + " has " + other.Length, name);
            }
        }

        /// <summary>The number of rows of an array.</summary>
        private static int Rows(Array array, string name, int columns, string columnsName)
        {
            if (columns < 1)
            {
                throw new ArgumentOutOfRangeException(columnsName, columns, columnsName + " must be at least 1");
            }
            if (array.Length % columns != 0)
            {
                throw new ArgumentException(
                    name + " has " + array.Length + " elements, no multiple of " + columnsName + ", which is " + columns, name);
            }
            return array.Length / columns;
        }

        private static UIntPtr Size(long number, string name)
        {
            if (number < 0)
            {
                throw new ArgumentOutOfRangeException(name, number, name + " must not be negative");
            }
            return (UIntPtr)(ulong)number;
        }
    }
}
