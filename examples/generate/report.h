/* Output: the text as it is generated, the supports under it, continuations side by side, and the figures. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decode.h"
#include "text.h"

typedef struct token_record {
    size_t end; /* of the token's text in run.text; part of a character is added with the rest of it */
    int32_t id;
    uint32_t support;
} token_record;

/* One chain's continuation and its figures. All zero is the empty one. */
typedef struct run {
    const char *chain; /* borrowed */
    enum face face;
    const char *ended; /* the reason; static */
    str text;
    token_record *token;
    size_t n, cap;
    double kept_mass, sampler_microseconds; /* sums over the tokens */
    double model_microseconds;              /* sum over the n_model evaluations without the prompt's */
    size_t n_model;
} run;

/* Adds a token whose text, if any, has just been appended to r->text. */
void run_add(run *r, const decision *d);
void run_free(run *r);

/* Streaming: the heading, then the new text after each token and at the end, then the figures. */
typedef struct stream stream;
stream *stream_begin(const run *r, const char *prompt, bool show_support);
void stream_token(stream *s, const run *r);
void stream_end(stream *s, const run *r);

/* All continuations side by side, each above its figures. */
void report_columns(const run *runs, size_t n, const char *prompt, bool show_support);

#endif
