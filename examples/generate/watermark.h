/* Watermarks: chains that mark their text, and what detectors find in it. */
#ifndef WATERMARK_H
#define WATERMARK_H

#include <stddef.h>

#include "report.h"

enum { WATERMARK_CHAINS = 4, WATERMARK_TOKENS = 200 };

/* The same chain without a mark, which comes first, and with each mark. */
extern const char *const watermark_chains[WATERMARK_CHAINS];

/* Scores the texts of these chains with the right and with a wrong key, and prints p-values and times. */
int watermark_report(const run *runs, size_t n_vocab);

#endif
