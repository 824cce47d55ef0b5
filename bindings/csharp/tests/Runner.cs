using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Reflection;

namespace Bregman.Tests
{
    /// <summary>Marks a test: a public static method without arguments that throws if it fails.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    internal sealed class TestAttribute : Attribute
    {
    }

    /// <summary>
    /// Runs the tests whose class and name (<c>Class.Method</c>) contain one of the arguments, all without arguments.
    /// Exits non-zero if one fails or none is found.
    /// </summary>
    internal static class Runner
    {
        private static int Main(string[] filters)
        {
            int passed = 0, failed = 0;
            foreach (var test in Tests(filters))
            {
                var name = test.DeclaringType.Name + "." + test.Name;
                var watch = Stopwatch.StartNew();
                try
                {
                    test.Invoke(null, null);
                    passed++;
                    Console.WriteLine("ok     " + name + " (" + watch.ElapsedMilliseconds + " ms)");
                }
                catch (TargetInvocationException e)
                {
                    failed++;
                    Console.WriteLine("FAILED " + name + ": " + e.InnerException);
                }
            }
            Console.WriteLine(passed + " passed, " + failed + " failed");
            return failed == 0 && passed > 0 ? 0 : 1;
        }

        private static IEnumerable<MethodInfo> Tests(string[] filters)
        {
            return typeof(Runner).Assembly.GetTypes()
                .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Static))
                .Where(method => method.GetCustomAttribute<TestAttribute>() != null)
                .Where(method => filters.Length == 0
                    || filters.Any(filter => (method.DeclaringType.Name + "." + method.Name).Contains(filter)))
                .OrderBy(method => method.DeclaringType.Name + "." + method.Name, StringComparer.Ordinal);
        }
    }
}
