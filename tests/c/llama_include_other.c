/* A second file that includes the header: what is static in it must not make stages of two kinds. */
#include "llama_include.h"

struct llama_sampler *stage_of_another_file(const char *chain, uint64_t seed)
{
    return bregman_llama_init(chain, seed);
}
