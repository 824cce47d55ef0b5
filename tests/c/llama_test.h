/* Shared by the parts of the program that runs llama.cpp. */
#ifndef LLAMA_TEST_H
#define LLAMA_TEST_H

#include "bregman.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llama.h"

enum { MOST = 32000 };

/* llama_stage.c */
extern unsigned long checks;
void check(int good, const char *what, const char *file, int line);
#define CHECK(condition) check((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
/* A bregman stage in the host's own `llama_sampler`. */
struct llama_sampler *stage(const char *chain, uint64_t seed);
struct llama_sampler *new_chain(void);
void test_life(void);

/* llama_arrays.c: random candidate arrays, and comparisons of two arrays. */
typedef struct array {
    llama_token_data data[MOST];
    llama_token_data_array list;
} array;
double random_number(void); /* uniform in [0, 1) */
void from_logits(array *a, const float *logits, size_t n);
/* Normally distributed logits, some but not all of them -infinity, sorted or not, with or without the flag. */
void random_array(array *a, size_t n);
void copy_array(array *to, const array *from);
void sort_by_id(array *a);
/* Softmax over the finite logits, by id; returns their number. */
size_t distribution(const array *a, int32_t *ids, double *p);
/* Whether both have the same tokens with the same probabilities up to 1e-5. */
bool same_distribution(const array *a, const array *b);
/* Order, flag and probabilities of an array that a stage truncated. */
void check_truncated(const array *a);

/* llama_compare.c: the built-in samplers and bregman's stages on the same arrays. */
void test_compare(void);
void compare_all(const array *a);
void report_compared(void);
/* The finite logits in descending order; returns their number. */
size_t sorted_logits(const array *a, double *l);
/* Whether a cut of the sorted logits is so close to a token that llama.cpp's sums in single precision can fall on either
 * side. */
bool is_near_top_p(const double *l, size_t n, double p);
bool is_near_min_p(const double *l, size_t n, double p);
/* Whether there is a tie at the cut: the logit after the k largest equals the last of them. */
bool is_tie(const double *l, size_t n, size_t k);

/* llama_stages.c: the other built-in samplers and bregman's stages on the same arrays, and the samplers that learn. */
void compare_stages(const array *a);
/* As is_near_top_p, for stages with min_keep 1. */
bool is_near_typical(const double *l, size_t n, double p);
bool is_near_top_n_sigma(const double *l, size_t n, double k);
bool is_near_xtc(const double *l, size_t n, double threshold);
void test_state(void);
void report_stages(void);
/* llama_history.c: the stages that look at the history against the built-in ones. */
void test_history(const char *backends, const char *model);

/* llama_generate.c: the text of a model. */
enum { CONTEXT = 256 };
void test_generate(const char *backends, const char *model);
struct llama_context *new_context(struct llama_model *model);
/* Resets the context and evaluates one of a few prompts; returns its number of tokens. */
int32_t start(struct llama_context *context, unsigned number, llama_token *tokens);
void feed(struct llama_context *context, llama_token *tokens, int32_t n);

/* llama_truncate.c: the same support, over a thousand tokens for each truncation. */
void test_truncate(struct llama_model *model);
/* llama_speculate.c: drafts, verified in one batch; rejected tokens are rolled back. */
void test_speculate(struct llama_model *model);
/* llama_threads.c: one chain per thread. */
void test_threads(struct llama_model *model);

#endif
