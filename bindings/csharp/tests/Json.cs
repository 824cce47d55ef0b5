using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Bregman.Tests
{
    /// <summary>
    /// Reads JSON into dictionaries, lists, strings, doubles, booleans and null, because one of the runtimes has no reader.
    /// Numbers keep their text (<see cref="Number"/>), because seeds need all 64 bits.
    /// </summary>
    internal sealed class Json
    {
        private readonly string text;
        private int at;

        private Json(string text)
        {
            this.text = text;
        }

        internal static object Parse(string text)
        {
            var reader = new Json(text);
            var value = reader.Value();
            reader.Space();
            if (reader.at != text.Length)
            {
                throw reader.Unexpected();
            }
            return value;
        }

        private object Value()
        {
            Space();
            switch (text[at])
            {
                case '{':
                    return Members();
                case '[':
                    return Elements();
                case '"':
                    return String();
                case 't':
                    return Word("true", true);
                case 'f':
                    return Word("false", false);
                case 'n':
                    return Word("null", null);
                default:
                    return new Number(Digits());
            }
        }

        private Dictionary<string, object> Members()
        {
            var members = new Dictionary<string, object>();
            for (var more = Open('}'); more; more = More('}'))
            {
                Space();
                var name = String();
                Take(':');
                members.Add(name, Value());
            }
            return members;
        }

        private List<object> Elements()
        {
            var elements = new List<object>();
            for (var more = Open(']'); more; more = More(']'))
            {
                elements.Add(Value());
            }
            return elements;
        }

        private bool Open(char close)
        {
            at++;
            Space();
            if (text[at] != close)
            {
                return true;
            }
            at++;
            return false;
        }

        private bool More(char close)
        {
            Space();
            var c = text[at++];
            if (c != ',' && c != close)
            {
                throw Unexpected();
            }
            return c == ',';
        }

        private string String()
        {
            Take('"');
            var result = new StringBuilder();
            for (; text[at] != '"'; at++)
            {
                if (text[at] == '\\')
                {
                    // The golden vectors have no escapes.
                    throw Unexpected();
                }
                result.Append(text[at]);
            }
            at++;
            return result.ToString();
        }

        private string Digits()
        {
            var start = at;
            while (at < text.Length && "+-.0123456789eE".IndexOf(text[at]) >= 0)
            {
                at++;
            }
            if (at == start)
            {
                throw Unexpected();
            }
            return text.Substring(start, at - start);
        }

        private object Word(string word, object value)
        {
            if (string.CompareOrdinal(text, at, word, 0, word.Length) != 0)
            {
                throw Unexpected();
            }
            at += word.Length;
            return value;
        }

        private void Take(char c)
        {
            Space();
            if (text[at] != c)
            {
                throw Unexpected();
            }
            at++;
        }

        private void Space()
        {
            while (at < text.Length && char.IsWhiteSpace(text[at]))
            {
                at++;
            }
        }

        private FormatException Unexpected()
        {
            return new FormatException("JSON: unexpected at " + at);
        }

        internal sealed class Number
        {
            internal Number(string text)
            {
                Text = text;
            }

            internal string Text { get; }

            internal double Double => double.Parse(Text, CultureInfo.InvariantCulture);

            internal int Int => int.Parse(Text, CultureInfo.InvariantCulture);
        }
    }
}
