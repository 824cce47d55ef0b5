/* Decoding with bregman: a row of logits to a token, in either of two ways. */
#ifndef DECODE_H
#define DECODE_H

#include <stddef.h>
#include <stdint.h>

/* Raw: bregman reads the row of logits. Stage: the row is copied into llama.cpp's candidate array, and bregman is a sampler
 * in llama.cpp's chain. */
enum face { FACE_RAW, FACE_STAGE };

typedef struct decision {
    int32_t token;
    uint32_t support; /* number of tokens with positive probability */
    /* The probability mass of the support. Raw: as bregman reports it, at the chain's temperature. Stage: under the softmax
     * of the row, because a stage does not report it. */
    double kept_mass;
    double microseconds; /* spent in the sampler */
} decision;

typedef struct decoder decoder;

/* NULL on failure. Failures of all functions here are reported on standard error. */
decoder *decoder_new(enum face face, const char *chain, uint64_t seed, size_t n_vocab);
void decoder_free(decoder *d);

/* Adds tokens to the history of the chain. */
int decoder_accept(decoder *d, const int32_t *tokens, size_t n);
/* Draws a token and adds it to the history. */
int decoder_next(decoder *d, const float *logits, decision *out);

/* Microseconds on a monotonic clock. */
double now(void);

#endif
