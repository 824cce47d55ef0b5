/* What the lab's programs have in common: a model of llama.cpp, and lines of text for it. */
#ifndef LAB_MODEL_H
#define LAB_MODEL_H

#include "llama.h"

enum { LONGEST_LINE = 1 << 16 };

/* Says why on stderr, and ends the program. */
_Noreturn void fail(const char *format, ...);

/* The model in a GGUF file. llama.cpp is quiet except for its errors. */
struct llama_model *load(const char *path);

/* Replaces \n, \t and \\ in place by what they stand for. */
void unescape(char *text);

/* The tokens of a text with its beginning of sequence, at most `most`: how many there are. */
int tokenize(const struct llama_vocab *vocab, const char *text, llama_token *tokens, int most);

#endif
