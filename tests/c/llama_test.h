/* What the parts of the program inside llama.cpp share. */
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
/* One of our stages inside the host's own `llama_sampler`. */
struct llama_sampler *stage(const char *chain, uint64_t seed);
struct llama_sampler *new_chain(void);
void test_life(void);

/* llama_arrays.c: candidate arrays, and what two arrays have in common. */
typedef struct array {
    llama_token_data data[MOST];
    llama_token_data_array list;
} array;
double random_number(void); /* uniform in [0, 1) */
void from_logits(array *a, const float *logits, size_t n);
/* Normal logits, some of them -infinity, in some order, with some flag. Never all of them -infinity. */
void random_array(array *a, size_t n);
void copy_array(array *to, const array *from);
void sort_by_id(array *a);
/* Softmax over what has a finite logit, by id: returns how many those are. */
size_t distribution(const array *a, int32_t *ids, double *p);
/* Whether both have the same tokens with the same probabilities up to 1e-5. */
bool same_distribution(const array *a, const array *b);
/* What our stage promises of an array it truncated: order, flag, probabilities. */
void check_truncated(const array *a);

/* llama_compare.c: the built-in samplers and ours on the same arrays. */
void test_compare(void);
void compare_all(const array *a);
void report_compared(void);
/* The finite logits in descending order; returns how many those are. */
size_t sorted_logits(const array *a, double *l);
/* Of sorted logits: whether a cut is so near to a token that llama.cpp's sums in single precision can fall on either side. */
bool is_near_top_p(const double *l, size_t n, double p);
bool is_near_min_p(const double *l, size_t n, double p);
/* Whether the k largest are not of one mind: the next is as large as the last of them. */
bool is_tie(const double *l, size_t n, size_t k);

/* llama_stages.c: the other built-in samplers and ours on the same arrays, and what they learn from their draws. */
void compare_stages(const array *a);
/* As is_near_top_p, for stages with min_keep 1. */
bool is_near_typical(const double *l, size_t n, double p);
bool is_near_top_n_sigma(const double *l, size_t n, double k);
bool is_near_xtc(const double *l, size_t n, double threshold);
void test_state(void);
void report_stages(void);
/* llama_history.c: the stages about the tokens so far against the built-in ones. */
void test_history(const char *backends, const char *model);

/* llama_generate.c: a model that writes. */
enum { CONTEXT = 256 };
void test_generate(const char *backends, const char *model);
struct llama_context *new_context(struct llama_model *model);
/* Starts the context anew with one of a few prompts; returns how many tokens that has. */
int32_t start(struct llama_context *context, unsigned number, llama_token *tokens);
void feed(struct llama_context *context, llama_token *tokens, int32_t n);

/* llama_truncate.c: the same kept sets, a thousand tokens for each truncation. */
void test_truncate(struct llama_model *model);
/* llama_speculate.c: a draft, checked in one batch; what is refused is rolled back. */
void test_speculate(struct llama_model *model);
/* llama_threads.c: as many chains as threads. */
void test_threads(struct llama_model *model);

#endif
