//go:build cgo && (bregman_link || bregman_static)

// The library is part of the program.
#include "api.h"

const bregman_api *bregman_go;
