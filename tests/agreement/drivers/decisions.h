/* The commands of decisions.txt. */
#ifndef AGREEMENT_DECISIONS_H
#define AGREEMENT_DECISIONS_H

#include "cases.h"

/* Runs a command of decisions; 0 if it is another one. */
int run_decision(const words *w, unsigned line);
void free_lists(void);

#endif
