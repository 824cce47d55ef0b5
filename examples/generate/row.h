/* Rows of logits as files. That after a prompt is a JSON file: what `python -m bregman show --row` reads. */
#ifndef ROW_H
#define ROW_H

#include "engine.h"

/* Evaluates the prompt and writes the file, an object of
 *   prompt         its text
 *   prompt_tokens  its ids, which are the history of a sampler
 *   tokens         the text of every token of the vocabulary; bytes that are not UTF-8 are U+FFFD
 *   logits         as many numbers, exact in float32 */
int row_write(engine *e, const char *prompt, const char *path);

/* Adds a row to a file, as float32. */
int row_append(const float *logits, size_t n, const char *path);

#endif
