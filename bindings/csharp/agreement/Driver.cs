using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;

namespace Bregman.Agreement
{
    /// <summary>
    /// The C# driver of the cross-language agreement test; tests/agreement/README.md describes its input and output.
    /// usage: agreement CASES
    /// </summary>
    internal sealed unsafe class Driver
    {
        private readonly Dictionary<string, RowSet> sets = new Dictionary<string, RowSet>();
        private readonly Dictionary<string, Mask> masks = new Dictionary<string, Mask>();
        private readonly Dictionary<string, Sampler> samplers = new Dictionary<string, Sampler>();
        private readonly DecisionCommands decisions = new DecisionCommands();
        private readonly Dictionary<string, Action<Words>> commands;
        private readonly string directory;
        private readonly TextWriter output;
        private int line;

        private Driver(string directory, TextWriter output)
        {
            this.directory = directory;
            this.output = output;
            commands = new Dictionary<string, Action<Words>>
            {
                { "rows", Rows },
                { "random", w => sets[w.Text()] = RowSet.Random(w.Int(), w.Int(), w.Long()) },
                { "same", w => sets[w.Text()] = RowSet.Same(w.Text(), w.Int(), w.Int(), Words.Hex(w.Text())) },
                { "upper", w => sets[w.Text()] = sets[w.Text()].Upper() },
                { "set", Set },
                { "mask", w => masks[w.Text()] = new Mask(w.Int(), w.Int(), w.Hex()) },
                { "new", New },
                { "clone", Clone },
                { "free", Free },
                { "reset", w => Write(samplers[w.Text()], s => s.Reset()) },
                { "reseed", w => Write(samplers[w.Text()], s => s.Reseed(w.Long(), w.Long())) },
                { "accept", w => Write(samplers[w.Text()], s => s.Accept(Array.ConvertAll(w.All(), int.Parse))) },
                { "bias", Bias },
                { "describe", w => Write(samplers[w.Text()], s => "ok " + s.Describe()) },
                { "score", Score },
                { "decode", Decode },
                { "batch", Batch },
                { "reduced", Reduced },
                { "distribution", Distribution },
                { "process", Process },
                { "save", w => Write(samplers[w.Text()], s => "ok " + Hex(s.Save())) },
                { "load", Load },
                { "rewind", w => Write(samplers[w.Text()], s => s.Rewind(w.Int())) },
                { "where", w => Write(samplers[w.Text()], Where) },
                { "verify", Verify },
            };
        }

        private static int Main(string[] arguments)
        {
            if (arguments.Length != 1)
            {
                Console.Error.WriteLine("usage: agreement CASES");
                return 2;
            }
            var path = Path.GetFullPath(arguments[0]);
            using (var output = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false)))
            {
                output.NewLine = "\n";
                var driver = new Driver(Path.GetDirectoryName(path), output);
                try
                {
                    driver.Run(File.ReadAllLines(path, Encoding.UTF8));
                    return 0;
                }
                catch (Exception e)
                {
                    output.Flush();
                    Console.Error.WriteLine(path + ":" + driver.line + ": " + e);
                    return 1;
                }
            }
        }

        private void Run(string[] lines)
        {
            foreach (var text in lines)
            {
                line++;
                if (text.Length > 0 && text[0] != '#')
                {
                    var words = new Words(text);
                    var command = words.Text();
                    if (!decisions.Find(command, words, out var call))
                    {
                        commands[command](words);
                    }
                    else if (call != null)
                    {
                        Write(null, _ => call());
                    }
                }
            }
        }

        private void Rows(Words w)
        {
            var name = w.Text();
            sets[name] = RowSet.FromFile(w.Text(), w.Int(), w.Int(), Path.Combine(directory, w.Text()));
        }

        private void Set(Words w)
        {
            var set = sets[w.Text()];
            set.Set(w.Int() * set.Width + w.Int(), w.Hex());
        }

        private void New(Words w)
        {
            var name = w.Text();
            var seed = w.Long();
            Write(null, _ => Keep(name, new Sampler(w.Rest(), seed)));
        }

        private void Clone(Words w)
        {
            var name = w.Text();
            Write(samplers[w.Text()], s => Keep(name, s.Clone()));
        }

        private void Keep(string name, Sampler sampler)
        {
            if (samplers.TryGetValue(name, out var before))
            {
                before.Dispose();
            }
            samplers[name] = sampler;
        }

        private void Free(Words w)
        {
            var name = w.Text();
            Write(samplers[name], s => s.Dispose());
            samplers.Remove(name);
        }

        private void Score(Words w)
        {
            var tokens = new int[w.Int()];
            for (var i = 0; i < tokens.Length; i++)
            {
                tokens[i] = w.Int();
            }
            var stage = w.Rest();
            Write(null, _ =>
            {
                var score = Watermark.Score(stage, tokens);
                return "ok " + score.Counted + " " + Bits(score.Score) + " " + Bits(score.PValue);
            });
        }

        private void Bias(Words w)
        {
            var sampler = samplers[w.Text()];
            var pairs = Array.ConvertAll(w.All(), pair => pair.Split('='));
            var bias = new float[pairs.Length];
            Buffer.BlockCopy(Array.ConvertAll(pairs, pair => Words.Hex(pair[1])), 0, bias, 0, Buffer.ByteLength(bias));
            Write(sampler, s => s.SetLogitBias(Array.ConvertAll(pairs, pair => int.Parse(pair[0])), bias));
        }

        private void Decode(Words w)
        {
            var sampler = samplers[w.Text()];
            var set = sets[w.Text()];
            int first = w.Int(), count = w.Int(), vocab = w.Int();
            for (var row = first; row < first + count; row++)
            {
                Write(sampler, s => Answer(s.Decode(set.Row(row, vocab))), row + " ");
            }
        }

        private void Batch(Words w)
        {
            var options = new BatchOptions { Flags = (DecodeFlags)w.Int(), Threads = w.Int() };
            if (masks.TryGetValue(w.Text(), out var mask))
            {
                options.Mask = mask.Bits;
                options.MaskStride = mask.Words;
            }
            var set = sets[w.Text()];
            int first = w.Int(), step = w.Int(), vocab = w.Int();
            options.RowStride = step * set.Width;
            var batch = Array.ConvertAll(w.All(), name => samplers[name]);
            var results = new DecodeResult[batch.Length];
            fixed (float* floats = set.Floats)
            fixed (ushort* bits = set.Bits)
            {
                var start = first * set.Width;
                var logits = floats == null ? (void*)(bits + start) : floats + start;
                Sampler.TryDecodeBatch(batch, logits, set.Format, vocab, results, options);
            }
            Write(batch, results, first, step);
        }

        private void Reduced(Words w)
        {
            var count = w.Int();
            var temperature = new float[1];
            Buffer.BlockCopy(new[] { Words.Hex(w.Text()) }, 0, temperature, 0, sizeof(float));
            var flags = (DecodeFlags)w.Int();
            var threads = w.Int();
            var set = sets[w.Text()];
            int first = w.Int(), vocab = w.Int();
            var batch = Array.ConvertAll(w.All(), name => samplers[name]);
            var stride = new BatchOptions { RowStride = set.Width, Threads = threads };
            var lists = Sampler.Reduce(
                set.Row(first, batch.Length * set.Width), batch.Length, vocab, 0, count, stride, temperature[0]);
            var options = new BatchOptions
            {
                Ids = lists.Ids,
                LogRest = lists.LogRest,
                Bound = lists.Bound,
                RestTemperature = temperature[0],
                Flags = flags,
                Threads = threads,
            };
            var results = new DecodeResult[batch.Length];
            Sampler.TryDecodeBatch(batch, lists.Logits, count, results, options);
            Write(batch, results, first, 1);
        }

        private void Write(Sampler[] batch, DecodeResult[] results, int first, int step)
        {
            for (var r = 0; r < batch.Length; r++)
            {
                var answer = results[r].Status == Status.Ok
                    ? Answer(results[r])
                    : Error(results[r].Status, batch[r].LastError);
                Write((first + r * step) + " " + answer);
            }
        }

        private void Distribution(Words w)
        {
            var sampler = samplers[w.Text()];
            var logits = sets[w.Text()].Row(w.Int(), w.Int());
            Write(sampler, s =>
            {
                var distribution = s.Distribution(logits);
                var entries = distribution.Select(entry => " " + entry.Token + ":" + Bits(entry.Probability));
                return "ok " + distribution.Length + string.Concat(entries);
            });
        }

        private void Process(Words w)
        {
            var sampler = samplers[w.Text()];
            var logits = sets[w.Text()].Row(w.Int(), w.Int());
            Write(sampler, s => s.Process(logits));
            var bytes = new byte[Buffer.ByteLength(logits)];
            Buffer.BlockCopy(logits, 0, bytes, 0, bytes.Length);
            var hash = bytes.Aggregate(0xCBF29CE484222325, (h, b) => unchecked((h ^ b) * 0x100000001B3));
            Write("row " + logits.Count(x => !float.IsNegativeInfinity(x)) + " " + hash.ToString("x16"));
        }

        private void Load(Words w)
        {
            var name = w.Text();
            var text = w.Text();
            var state = Enumerable.Range(0, text.Length / 2).Select(i => (byte)Words.Hex(text.Substring(2 * i, 2))).ToArray();
            Write(null, _ => Keep(name, Sampler.Load(state)));
        }

        private static string Where(Sampler s)
        {
            var history = string.Concat(s.History().Select(token => " " + token));
            return "ok " + s.Seed + " " + s.Position + " " + s.PromptLength + history;
        }

        private void Verify(Words w)
        {
            var options = new BatchOptions { Flags = (DecodeFlags)w.Int(), Threads = w.Int() };
            var set = sets[w.Text()];
            int first = w.Int(), vocab = w.Int();
            options.RowStride = set.Width;
            var words = Array.ConvertAll(w.All(), word => word.Split('/'));
            var drafts = Array.ConvertAll(words, ParseDraft);
            var batch = Array.ConvertAll(words, word => samplers[word[0]]);
            var rows = drafts.Sum(draft => draft.Tokens.Length + 1);
            Sampler.TryVerify(batch, drafts, set.Row(first, rows * set.Width), vocab, out var verified, options);
            for (var s = 0; s < verified.Length; s++)
            {
                if (verified[s].Status != Status.Ok)
                {
                    Write(s + " " + Error(verified[s].Status, batch[s].LastError));
                    continue;
                }
                Write(s + " ok " + verified[s].Path.Length + string.Concat(verified[s].Path.Select(place => " " + place)));
                foreach (var result in verified[s].Results)
                {
                    Write(s + " " + Answer(result));
                }
            }
        }

        // S/RULE/TOKENS/PARENTS/LAWS
        private static Draft ParseDraft(string[] word)
        {
            var rule = (DraftRule)Enum.Parse(typeof(DraftRule), word[1], true);
            return new Draft(Tokens(word[2]), rule)
            {
                Parents = word[3] == "-" ? null : Tokens(word[3]),
                Laws = word[4] == "-" ? null : Array.ConvertAll(word[4].Split(';'), Law),
            };
        }

        private static int[] Tokens(string text)
        {
            return text == "-" ? new int[0] : Array.ConvertAll(text.Split(','), int.Parse);
        }

        private static TokenProbability[] Law(string text)
        {
            var entries = Array.ConvertAll(text.Split(','), entry => entry.Split(':'));
            var p = new float[entries.Length];
            Buffer.BlockCopy(Array.ConvertAll(entries, entry => Words.Hex(entry[1])), 0, p, 0, Buffer.ByteLength(p));
            return entries.Select((entry, i) => new TokenProbability(int.Parse(entry[0]), p[i])).ToArray();
        }

        private static string Hex(byte[] bytes)
        {
            return string.Concat(bytes.Select(b => b.ToString("x2")));
        }

        private void Write(Sampler sampler, Action<Sampler> call)
        {
            Write(sampler, s =>
            {
                call(s);
                return "ok";
            });
        }

        /// <summary>Writes the result of a call on a sampler, or its error.</summary>
        private void Write(Sampler sampler, Func<Sampler, string> call, string before = "")
        {
            string answer;
            try
            {
                answer = call(sampler);
            }
            catch (BregmanException e)
            {
                answer = Error(e.Status, e.Message);
            }
            Write(before + answer);
        }

        private void Write(string text)
        {
            output.WriteLine(line.ToString(CultureInfo.InvariantCulture) + " " + text);
        }

        private static string Error(Status status, string message)
        {
            return "error " + (uint)status + " " + message;
        }

        private static string Answer(DecodeResult result)
        {
            return "ok " + result.Token + " " + result.Support + " " + Bits(result.Probability) + " " + Bits(result.KeptMass)
                + " " + Bits(result.ModelLogProbability) + " " + Bits(result.Entropy)
                + " " + Bits(result.LnKeptMass);
        }

        private static string Bits(double x)
        {
            return BitConverter.DoubleToInt64Bits(x).ToString("x16");
        }

        private static string Bits(float x)
        {
            return float.IsNaN(x) ? "nan" : BitConverter.ToInt32(BitConverter.GetBytes(x), 0).ToString("x8");
        }

        private sealed class Mask
        {
            internal Mask(int words, int count, uint[] pattern)
            {
                Words = words;
                Bits = Enumerable.Range(0, words * count).Select(i => pattern[i % pattern.Length]).ToArray();
            }

            internal int Words { get; }

            internal uint[] Bits { get; }
        }
    }
}
