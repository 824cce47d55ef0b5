/* The library's functions: its own table, so that the same calls serve a library that is loaded and one that is linked. */
#ifndef BREGMAN_GO_API_H
#define BREGMAN_GO_API_H

#include "bregman.h"

/* NULL until a library was opened. */
extern const bregman_api *bregman_go;

/* The functions that this package calls: a library of an earlier release has a shorter table. */
static inline int bregman_go_suffices(const bregman_api *api) { return api->struct_size >= sizeof *api; }

#endif
