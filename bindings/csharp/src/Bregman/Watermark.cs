using System;
using Bregman.Interop;

namespace Bregman
{
    /// <summary>Detectors of watermarks. All members are thread-safe.</summary>
    public static unsafe class Watermark
    {
        private const int LongestMessage = 4096;

        /// <summary>Looks for a watermark in a text. Needs no model, no logits and no sampler.</summary>
        /// <param name="stage">
        /// The stage that marked it, as in a chain and with its parameters, such as
        /// <c>watermark(key=0x9d3c55aa10f2e671, width=4)</c>. green_list needs its parameter vocab here.
        /// </param>
        /// <param name="tokens">The output from its beginning, without the prompt; may be empty.</param>
        /// <returns>The score, its p-value, and how many tokens were counted.</returns>
        /// <exception cref="ArgumentException">An argument is null, or the stage contains a NUL.</exception>
        /// <exception cref="BregmanException">
        /// <see cref="Status.InvalidChain"/>: not the text of one watermark stage; the message does not contain the key.
        /// <see cref="Status.InvalidArgument"/>: a token is negative or not in the vocabulary.
        /// </exception>
        public static WatermarkScore Score(string stage, int[] tokens)
        {
            var text = Utf8.Terminated(stage, nameof(stage));
            if (tokens == null)
            {
                throw new ArgumentNullException(nameof(tokens));
            }
            Loader.Ensure();
            var score = new NativeWatermark { struct_size = (uint)sizeof(NativeWatermark) };
            var message = new byte[LongestMessage];
            fixed (byte* textPointer = text, messagePointer = message)
            fixed (int* tokenPointer = tokens)
            {
                var status = NativeMethods.bregman_watermark_score(
                    textPointer, tokenPointer, (UIntPtr)tokens.Length, ref score, messagePointer, (UIntPtr)message.Length);
                if (status != Status.Ok)
                {
                    throw new BregmanException(status, Utf8.Read(messagePointer));
                }
            }
            return new WatermarkScore(score.score, score.p_value, (long)score.counted);
        }
    }
}
