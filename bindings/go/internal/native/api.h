/* The library's table of functions, so that the same calls work for a library that is loaded and one that is linked. */
#ifndef BREGMAN_GO_API_H
#define BREGMAN_GO_API_H

#include "bregman.h"
#include "bregman_decisions.h"

/* NULL until a library is opened. */
extern const bregman_api *bregman_go;

/* The table of bregman_decisions.h; NULL as well if the library is older than that. */
extern const bregman_decisions *bregman_go_decisions;

/* Whether the table has all functions that this package calls: an older library has a shorter one. */
static inline int bregman_go_suffices(const bregman_api *api) { return api->struct_size >= sizeof *api; }

/* A table of decisions, or NULL if it is too short. */
static inline const bregman_decisions *bregman_go_checked(const bregman_decisions *table) {
    return table && table->struct_size >= sizeof *table ? table : NULL;
}

#endif
