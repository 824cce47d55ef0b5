/* Evaluation with llama.cpp: a model to rows of logits. Failures are reported on standard error. */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llama.h"
#include "text.h"

typedef struct engine {
    struct llama_model *model;
    struct llama_context *context;
    const struct llama_vocab *vocab;
    size_t n_vocab;
    size_t n_ctx;
    size_t position; /* tokens in the context */
    llama_token *prompt;
    size_t n_prompt;
} engine;

enum fed { FED_OK, FED_FULL, FED_FAILED };

/* Call engine_close in any case. n_ctx 0: the training length of the model, at most 2048. threads 0: one per processor, at
 * most 4, and 1 for a tiny model. */
int engine_open(engine *e, const char *model, uint32_t n_ctx, uint32_t threads, bool verbose);
void engine_close(engine *e);

/* Clears the context and evaluates the prompt; its tokens are then in e->prompt. */
int engine_start(engine *e, const char *prompt);
/* Evaluates one more token. */
enum fed engine_feed(engine *e, llama_token token);
/* The row for the next token: n_vocab logits, valid until the next engine_start or engine_feed. NULL on failure. */
const float *engine_logits(engine *e);

bool engine_is_end(const engine *e, llama_token token);
/* Appends the bytes of the token, which may end in the middle of a character. The names of control tokens, such as
 * <|im_end|>, only if `control`. */
int engine_piece(const engine *e, llama_token token, bool control, str *out);

#endif
