/* Text on its way to a terminal: growable strings, UTF-8 that arrives in pieces, widths and wrapping. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>

/* Never returns NULL: a program of this size has nothing better to do without memory than to say so and stop. */
void *must_alloc(void *old, size_t count, size_t size);

/* A growable string, NUL-terminated as soon as it holds anything. All zero is the empty one; free(data) ends it. */
typedef struct str {
    char *data;
    size_t len, cap;
} str;

void str_add(str *s, const char *bytes, size_t n);
void str_format(str *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void str_pad(str *s, size_t spaces);

/* The bytes of a character whose rest has not come yet: tokens may end in the middle of one. */
typedef struct utf8 {
    unsigned char pending[4];
    size_t n;
} utf8;

/* Appends the complete characters of `bytes` to `out` and keeps the rest for the next call.
 * What is not UTF-8, and what would steer the terminal, becomes U+FFFD. */
void utf8_push(utf8 *u, const char *bytes, size_t n, str *out);
/* The end: a character that was never completed becomes U+FFFD. */
void utf8_finish(utf8 *u, str *out);

/* Columns that the text takes on a terminal. */
size_t text_width(const char *text, size_t n);
/* Columns of the terminal: $COLUMNS, else what standard output says, else 80. */
size_t terminal_width(void);

/* A block of lines. All zero is the empty one. */
typedef struct lines {
    char **line;
    size_t n, cap;
} lines;

void lines_add(lines *l, const char *text, size_t n);
void lines_free(lines *l);
/* Wraps at spaces; words longer than a line are cut. */
void lines_wrap(lines *l, const char *text, size_t width);

#endif
