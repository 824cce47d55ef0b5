/* bregman's side: a row of logits in, a token out, through either of two faces. */
#ifndef DECODE_H
#define DECODE_H

#include <stddef.h>
#include <stdint.h>

/* Raw: bregman reads the row that the model wrote. Stage: the row is first copied into llama.cpp's array of candidates,
 * and bregman is one sampler in llama.cpp's chain. */
enum face { FACE_RAW, FACE_STAGE };

typedef struct decision {
    int32_t token;
    uint32_t support; /* tokens that could have been drawn */
    /* The model's probability of the support. Raw: after the chain's temperature, as bregman reports it.
     * Stage: of the row as it came, since a stage does not say what it did. */
    double kept_mass;
    double microseconds; /* spent in the sampler */
} decision;

typedef struct decoder decoder;

/* NULL on failure, which has then been reported on standard error, like every failure below. */
decoder *decoder_new(enum face face, const char *chain, uint64_t seed, size_t n_vocab);
void decoder_free(decoder *d);

/* Tells the chain's history (penalties) what stood before. */
int decoder_accept(decoder *d, const int32_t *tokens, size_t n);
/* Draws a token, and accepts it. */
int decoder_next(decoder *d, const float *logits, decision *out);

/* Microseconds on a clock that only goes forward. */
double now(void);

#endif
