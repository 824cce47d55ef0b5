/* Reading a case file, and writing numbers. */
#ifndef AGREEMENT_CASES_H
#define AGREEMENT_CASES_H

#include <stddef.h>
#include <stdint.h>

/* Consecutive rows of logits in one format. */
typedef struct set {
    uint32_t dtype; /* BREGMAN_F32, BREGMAN_F16 or BREGMAN_BF16 */
    size_t width, count;
    void *data;
} set;

typedef struct mask {
    size_t words;
    uint32_t *bits;
} mask;

/* The words of a line. Reading one that is missing ends the program. */
typedef struct words {
    char *word[64];
    size_t n;
} words;

void die(const char *format, ...);
void *allocate(size_t size);

void split(char *line, words *out);
const char *word(const words *w, size_t i);
uint64_t number(const words *w, size_t i);
uint32_t hex(const char *text);
float from_bits(uint32_t bits);
uint32_t to_bits(float value);

/* rows, random, same; `dir` is the case file's directory, with a slash. */
set read_rows(const words *w, const char *dir);
set random_rows(const words *w);
set same_rows(const words *w);
set upper_rows(const set *from);
void change_row(set *s, const words *w);
mask make_mask(const words *w);
/* The first logit of a row. */
void *row_of(const set *s, size_t row);
/* The same of an f32 set. */
float *f32_row(const set *s, size_t row);

#endif
