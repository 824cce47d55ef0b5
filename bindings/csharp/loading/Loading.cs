using System;

namespace Bregman.Tests
{
    /// <summary>
    /// A program of its own that says which library it found, or how it failed to: ci/csharp.sh runs it with the library in
    /// different places. Compiled without the tests.
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
