//go:build cgo && (bregman_link || bregman_static)

// The library is part of the program.
#include "api.h"

bregman_go_table bregman_go = {
#define F(name) .name = bregman_##name,
    BREGMAN_GO_FUNCTIONS(F)
#undef F
};
