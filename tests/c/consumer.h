/* Shared by the files of the C consumer, which are C99 and C++11 at the same time. */
#ifndef CONSUMER_H
#define CONSUMER_H

#include "bregman.h"

#ifdef __cplusplus
extern "C" {
#endif

/* layout.c */
void print_layout(void);

/* check.c */
extern unsigned checks;
void check(int good, const char *what, const char *file, int line);
bregman_sampler *make(const char *chain, uint64_t seed);
/* A row of different logits, the same for the same number. */
void fill(float *logits, size_t vocab, unsigned number);

#define CHECK(condition) check((condition) ? 1 : 0, #condition, __FILE__, __LINE__)

/* state.c and rows.c */
void test_state(void);
void test_catalogue(void);
void test_generator(void);
void test_rows(void);

#ifdef __cplusplus
}
#endif

#endif
