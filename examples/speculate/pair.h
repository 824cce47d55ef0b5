/* What the parts of this example share: its options, the two models, and samplers that report errors. */
#ifndef SPECULATE_PAIR_H
#define SPECULATE_PAIR_H

#include <bregman.h>
#include <llama.h>

#include <stddef.h>
#include <stdint.h>

enum { MOST_TEXT = 1024, MOST_DRAFT = 16, MOST_LISTED = 16 };

struct options {
    const char *chains[MOST_LISTED], *prompts[MOST_LISTED];
    size_t n_chains, n_prompts, window, gamma, tokens, seeds, positions, draws, threads;
};
extern struct options options;

/* A model with the tokens that are in its cache, and the tokens that end a text. */
struct run {
    struct llama_model *model;
    struct llama_context *context;
    const struct llama_vocab *vocab;
    size_t n_vocab, cached, n_ends;
    llama_token cache[MOST_TEXT], ends[MOST_LISTED];
};

struct pair {
    struct run target, drafter;
};

void open_model(struct run *run, const char *file);
void close_model(struct run *run);
/* Puts prompt number `n`, or the one that has its place in the list, into `text`, and returns its number of tokens. */
size_t read_prompt(const struct run *run, size_t n, llama_token *text);
/* Copies the logits after each of the last `rows` tokens of a text. What the cache has of the text is not computed again.
   Tokens that end a text get -infinity, so that all texts have the same length. */
void evaluate(struct run *run, const llama_token *text, size_t n, size_t rows, float *logits);
/* The same for one row of the draft model, which sees a window of the text. */
void evaluate_draft(struct run *run, const llama_token *text, size_t n, float *row);

void stop(const char *what, const char *why);
void *allocate(size_t n, size_t size);
void check(bregman_sampler *sampler, uint32_t status);
/* A sampler of a chain with a drawing stage after it. */
bregman_sampler *new_sampler(const char *chain, const char *draw, uint64_t seed);

/* Decodes texts in every way and prints a table for each chain; 1 if the match rule changed a text. */
int print_texts(struct pair *pair);
/* Drafts one token at each of many positions and prints the share that each way accepts; 1 if one differs from theory. */
int print_acceptance(struct pair *pair);

#endif
