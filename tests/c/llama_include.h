/* Shared by the files that include bregman_llama.h, which are C99 and C++11 at the same time. */
#ifndef LLAMA_INCLUDE_H
#define LLAMA_INCLUDE_H

#include "bregman_llama.h"

#ifdef __cplusplus
extern "C" {
#endif

/* llama_include.c */
extern unsigned long checks;
void check(int good, const char *what, const char *file, int line);
#define CHECK(condition) check((condition) ? 1 : 0, #condition, __FILE__, __LINE__)

/* llama_include_other.c: a stage made in another file. */
struct llama_sampler *stage_of_another_file(const char *chain, uint64_t seed);
/* llama_include_rules.c */
void test_rules(void);

#ifdef __cplusplus
}
#endif

#endif
