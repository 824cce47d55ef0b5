/* A second file that includes the header: its stages must be of the same kind as those of the first. */
#include "llama_include.h"

struct llama_sampler *stage_of_another_file(const char *chain, uint64_t seed)
{
    return bregman_llama_init(chain, seed);
}
