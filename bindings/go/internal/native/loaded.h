/* Loading the library at run time. */
#ifndef BREGMAN_GO_LOADED_H
#define BREGMAN_GO_LOADED_H

#include "api.h"

enum { BREGMAN_GO_OPENED, BREGMAN_GO_NOT_OPENED, BREGMAN_GO_NO_BREGMAN };

/* Loads the library and sets the table. On failure the table is unchanged, and `why` receives the reason. */
int bregman_go_open(const char *path, char *why, size_t size);

#endif
