/* Text for a terminal: growable strings, UTF-8 in pieces, widths and wrapping. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>

/* Never returns NULL: without memory the program prints an error and exits. */
void *must_alloc(void *old, size_t count, size_t size);

/* A growable string, NUL-terminated unless empty. All zero is the empty string; free(data) frees it. */
typedef struct str {
    char *data;
    size_t len, cap;
} str;

void str_add(str *s, const char *bytes, size_t n);
void str_format(str *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void str_pad(str *s, size_t spaces);

/* The first bytes of an incomplete character: tokens may end in the middle of one. */
typedef struct utf8 {
    unsigned char pending[4];
    size_t n;
} utf8;

/* Appends the complete characters of `bytes` to `out` and keeps the rest for the next call. Invalid UTF-8 and control
 * characters become U+FFFD. */
void utf8_push(utf8 *u, const char *bytes, size_t n, str *out);
/* At the end: an incomplete character becomes U+FFFD. */
void utf8_finish(utf8 *u, str *out);

/* Columns that the text takes on a terminal. */
size_t text_width(const char *text, size_t n);
/* Columns of the terminal: $COLUMNS, or those of standard output, or 80. */
size_t terminal_width(void);

/* A block of lines. All zero is the empty block. */
typedef struct lines {
    char **line;
    size_t n, cap;
} lines;

void lines_add(lines *l, const char *text, size_t n);
void lines_free(lines *l);
/* Wraps at spaces; words longer than a line are split. */
void lines_wrap(lines *l, const char *text, size_t width);

#endif
