//go:build cgo && (bregman_link || bregman_static)

// The program is linked with the library.
#include "api.h"

const bregman_api *bregman_go;
const bregman_decisions *bregman_go_decisions;
