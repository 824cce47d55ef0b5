/* Loading the library while the program runs. */
#ifndef BREGMAN_GO_LOADED_H
#define BREGMAN_GO_LOADED_H

#include "api.h"

enum { BREGMAN_GO_OPENED, BREGMAN_GO_NOT_OPENED, BREGMAN_GO_NO_BREGMAN };

/* Loads the library and fills the table. `why` receives the reason of a failure, which leaves the table as it was. */
int bregman_go_open(const char *path, char *why, size_t size);

#endif
