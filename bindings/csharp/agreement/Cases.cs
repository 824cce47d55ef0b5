using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

namespace Bregman.Agreement
{
    /// <summary>Rows of logits in one format: <see cref="Floats"/>, or the bits of 16-bit ones.</summary>
    internal sealed class RowSet
    {
        internal LogitFormat Format;
        internal int Width;
        internal float[] Floats;
        internal ushort[] Bits;

        internal float[] Row(int row, int vocab)
        {
            if (Floats == null)
            {
                throw new FormatException("this command takes f32 rows only");
            }
            var logits = new float[vocab];
            // As bytes, so that NaNs keep their bits.
            Buffer.BlockCopy(Floats, row * Width * sizeof(float), logits, 0, vocab * sizeof(float));
            return logits;
        }

        /// <summary>Overwrites logits by their bits, from an element of the whole set on.</summary>
        internal void Set(int start, IEnumerable<uint> values)
        {
            foreach (var value in values)
            {
                if (Floats == null)
                {
                    Bits[start] = checked((ushort)value);
                }
                else
                {
                    Buffer.BlockCopy(new[] { value }, 0, Floats, start * sizeof(float), sizeof(float));
                }
                start++;
            }
        }

        internal static RowSet Empty(string type, int width, int count)
        {
            switch (type)
            {
                case "f32":
                    return new RowSet { Format = LogitFormat.F32, Width = width, Floats = new float[width * count] };
                case "f16":
                    return new RowSet { Format = LogitFormat.F16, Width = width, Bits = new ushort[width * count] };
                case "bf16":
                    return new RowSet { Format = LogitFormat.BF16, Width = width, Bits = new ushort[width * count] };
                default:
                    throw new FormatException("`" + type + "` is no number format");
            }
        }

        internal static RowSet FromFile(string type, int width, int count, string path)
        {
            var set = Empty(type, width, count);
            var bytes = File.ReadAllBytes(path);
            var target = (Array)set.Floats ?? set.Bits;
            if (bytes.Length != Buffer.ByteLength(target))
            {
                throw new FormatException(path + " has " + bytes.Length + " bytes, not " + Buffer.ByteLength(target));
            }
            // The file is little-endian, as are all machines of the binding.
            Buffer.BlockCopy(bytes, 0, target, 0, bytes.Length);
            return set;
        }

        internal static RowSet Same(string type, int width, int count, uint value)
        {
            var set = Empty(type, width, count);
            set.Set(0, Enumerable.Repeat(value, width * count));
            return set;
        }

        internal static RowSet Random(int width, int count, ulong seed)
        {
            var set = Empty("f32", width, count);
            for (var n = 0; n < set.Floats.Length; n++)
            {
                var z = unchecked(seed + ((ulong)n + 1) * 0x9E3779B97F4A7C15);
                z = unchecked((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9);
                z = unchecked((z ^ (z >> 27)) * 0x94D049BB133111EB);
                z ^= z >> 31;
                var sum = (long)(z & 0xFFFF) + (long)(z >> 16 & 0xFFFF) + (long)(z >> 32 & 0xFFFF) + (long)(z >> 48);
                set.Floats[n] = (sum - 131070) / 8192f;
            }
            return set;
        }

        internal RowSet Upper()
        {
            var words = new uint[Floats.Length];
            Buffer.BlockCopy(Floats, 0, words, 0, Buffer.ByteLength(words));
            return new RowSet
            {
                Format = LogitFormat.BF16,
                Width = Width,
                Bits = Array.ConvertAll(words, word => (ushort)(word >> 16)),
            };
        }
    }

    /// <summary>The remaining words of a line.</summary>
    internal sealed class Words
    {
        private string rest;

        internal Words(string line)
        {
            rest = line;
        }

        internal string Text()
        {
            if (rest == null)
            {
                throw new FormatException("the line ends too early");
            }
            var space = rest.IndexOf(' ');
            var word = space < 0 ? rest : rest.Substring(0, space);
            rest = space < 0 ? null : rest.Substring(space + 1);
            return word;
        }

        /// <summary>The rest of the line, unchanged; "" at its end.</summary>
        internal string Rest()
        {
            var text = rest ?? "";
            rest = null;
            return text;
        }

        internal string[] All()
        {
            return rest == null ? new string[0] : Rest().Split(' ');
        }

        internal int Int()
        {
            return int.Parse(Text(), CultureInfo.InvariantCulture);
        }

        internal ulong Long()
        {
            return ulong.Parse(Text(), CultureInfo.InvariantCulture);
        }

        internal uint[] Hex()
        {
            return Array.ConvertAll(All(), Hex);
        }

        internal static uint Hex(string word)
        {
            return uint.Parse(word, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        }
    }
}
