/* The library's table of functions, so that the same calls work for a library that is loaded and one that is linked. */
#ifndef BREGMAN_GO_API_H
#define BREGMAN_GO_API_H

#include "bregman.h"

/* NULL until a library is opened. */
extern const bregman_api *bregman_go;

/* Whether the table has all functions that this package calls: an older library has a shorter one. */
static inline int bregman_go_suffices(const bregman_api *api) { return api->struct_size >= sizeof *api; }

#endif
