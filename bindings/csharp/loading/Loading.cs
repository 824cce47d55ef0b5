using System;

namespace Bregman.Tests
{
    /// <summary>
    /// A program that prints the token of the library that it found, or its exception. ci/csharp.sh runs it with the library in
    /// different places.
    /// </summary>
    internal static class Loading
    {
        private static void Main()
        {
            try
            {
                using (var sampler = new Sampler("greedy", 0))
                {
                    Console.WriteLine("token " + sampler.Decode(new[] { 1f, 2f }).Token);
                }
            }
            catch (Exception e)
            {
                Console.WriteLine(e.GetType().Name + (e is BregmanException refused ? ": " + refused.Status : ""));
            }
        }
    }
}
