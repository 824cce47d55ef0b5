/* The command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decode.h"

typedef struct options {
    const char *model;
    const char *prompt;
    const char **chains; /* allocated; the texts belong to the command line */
    size_t n_chains;
    enum face face;
    uint64_t seed;
    uint32_t tokens; /* 0: until the context is full */
    uint32_t ctx;    /* 0: the training length of the model, at most 2048 */
    uint32_t threads; /* 0: chosen by machine and model */
    bool show_support;
    bool columns;
    bool watermark;
    const char *row;  /* NULL: generate text */
    const char *rows; /* NULL: keep none */
    bool verbose;
} options;

enum parsed { PARSED_RUN, PARSED_HELP, PARSED_WRONG };

/* With PARSED_HELP and PARSED_WRONG the message has been printed. Call options_free in any case. */
enum parsed options_parse(options *o, int argc, char **argv);
void options_free(options *o);

#endif
