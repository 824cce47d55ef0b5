using System;
using System.Text;

namespace Bregman.Interop
{
    /// <summary>Texts for the native library: NUL-terminated UTF-8.</summary>
    internal static unsafe class Utf8
    {
        // Throws for lone surrogates instead of replacing them.
        private static readonly UTF8Encoding Strict = new UTF8Encoding(false, true);

        /// <summary>The bytes of a text with a terminator.</summary>
        /// <exception cref="ArgumentException">The text contains a NUL or is not valid UTF-16.</exception>
        internal static byte[] Terminated(string text, string parameter)
        {
            if (text == null)
            {
                throw new ArgumentNullException(parameter);
            }
            if (text.IndexOf('\0') >= 0)
            {
                throw new ArgumentException("the text contains a NUL", parameter);
            }
            try
            {
                var bytes = new byte[Strict.GetByteCount(text) + 1];
                Strict.GetBytes(text, 0, text.Length, bytes, 0);
                return bytes;
            }
            catch (EncoderFallbackException e)
            {
                throw new ArgumentException("the text contains a lone surrogate", parameter, e);
            }
        }

        internal static string Read(byte* text)
        {
            if (text == null)
            {
                return "";
            }
            var length = 0;
            while (text[length] != 0)
            {
                length++;
            }
            return length == 0 ? "" : Encoding.UTF8.GetString(text, length);
        }
    }
}
