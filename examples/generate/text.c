/* Text for a terminal: growable strings, UTF-8 in pieces, widths and wrapping. */
#define _GNU_SOURCE /* wcwidth, TIOCGWINSZ */
#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

void *must_alloc(void *old, size_t count, size_t size)
{
    if (count == 0)
        count = 1;
    void *p = count <= SIZE_MAX / size ? realloc(old, count * size) : NULL;
    if (!p) {
        fputs("generate: out of memory\n", stderr);
        exit(1);
    }
    return p;
}

static void str_reserve(str *s, size_t more)
{
    if (s->cap - s->len <= more) {
        s->cap = (s->len + more + 1) * 2;
        s->data = must_alloc(s->data, s->cap, 1);
    }
}

void str_add(str *s, const char *bytes, size_t n)
{
    str_reserve(s, n);
    if (n > 0)
        memcpy(s->data + s->len, bytes, n);
    s->len += n;
    s->data[s->len] = '\0';
}

void str_format(str *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        return;
    str_reserve(s, (size_t)n);
    va_start(args, format);
    vsnprintf(s->data + s->len, (size_t)n + 1, format, args);
    va_end(args);
    s->len += (size_t)n;
}

void str_pad(str *s, size_t spaces)
{
    while (spaces-- > 0)
        str_add(s, " ", 1);
}

/* The length of the character at p, of which n bytes are available; 0 if more are needed, -1 if it is not UTF-8. */
static int utf8_length(const unsigned char *p, size_t n, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* below it: overlong */
    int length = p[0] < 0x80 ? 1 : p[0] >= 0xC2 && p[0] < 0xE0 ? 2 : (p[0] & 0xF0) == 0xE0 ? 3 : p[0] >= 0xF0 && p[0] < 0xF5 ? 4 : -1;
    if (length < 0)
        return -1;
    *code = length == 1 ? p[0] : p[0] & (0x7Fu >> length);
    for (int i = 1; i < length; i++) {
        if ((size_t)i >= n)
            return 0;
        if ((p[i] & 0xC0) != 0x80)
            return -1;
        *code = *code << 6 | (p[i] & 0x3F);
    }
    if (*code < least[length] || (*code >= 0xD800 && *code < 0xE000) || *code > 0x10FFFF)
        return -1;
    return length;
}

static void add_replacement(str *out)
{
    str_add(out, "\xEF\xBF\xBD", 3);
}

static int steers_terminal(uint32_t code)
{
    return (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7F && code < 0xA0);
}

void utf8_push(utf8 *u, const char *bytes, size_t n, str *out)
{
    for (size_t i = 0; i < n; i++) {
        u->pending[u->n++] = (unsigned char)bytes[i];
        while (u->n > 0) {
            uint32_t code = 0;
            int length = utf8_length(u->pending, u->n, &code);
            if (length == 0)
                break;
            if (length < 0 || steers_terminal(code))
                add_replacement(out);
            else
                str_add(out, (const char *)u->pending, (size_t)length);
            /* Of an invalid character only the first byte is dropped. */
            size_t spent = length < 0 ? 1 : (size_t)length;
            u->n -= spent;
            memmove(u->pending, u->pending + spent, u->n);
        }
    }
}

void utf8_finish(utf8 *u, str *out)
{
    if (u->n > 0)
        add_replacement(out);
    u->n = 0;
}

/* The bytes of the character at p, and its columns. */
static size_t character(const char *p, size_t n, size_t *columns)
{
    uint32_t code = 0;
    int length = utf8_length((const unsigned char *)p, n, &code);
    if (length <= 0) {
        *columns = 1;
        return 1;
    }
    int w = wcwidth((wchar_t)code); /* -1 for characters that the locale does not have */
    *columns = w < 0 ? 1 : (size_t)w;
    return (size_t)length;
}

size_t text_width(const char *text, size_t n)
{
    size_t width = 0, columns;
    for (size_t i = 0; i < n; width += columns)
        i += character(text + i, n - i, &columns);
    return width;
}

size_t terminal_width(void)
{
    const char *said = getenv("COLUMNS");
    long columns = said ? strtol(said, NULL, 10) : 0;
    struct winsize size;
    if (columns <= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        columns = size.ws_col;
    if (columns <= 0)
        columns = 80;
    return columns < 20 ? 20 : columns > 1000 ? 1000 : (size_t)columns;
}

void lines_add(lines *l, const char *text, size_t n)
{
    if (l->n == l->cap) {
        l->cap = l->cap * 2 + 8;
        l->line = must_alloc(l->line, l->cap, sizeof *l->line);
    }
    char *copy = must_alloc(NULL, n + 1, 1);
    if (n > 0)
        memcpy(copy, text, n);
    copy[n] = '\0';
    l->line[l->n++] = copy;
}

void lines_free(lines *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->line[i]);
    free(l->line);
    *l = (lines){0};
}

void lines_wrap(lines *l, const char *text, size_t width)
{
    const char *p = text;
    while (*p) {
        p += strspn(p, " ");
        /* Take characters until the line is full, and remember the last place where it may break. */
        size_t taken = 0, used = 0, columns, breakable = 0;
        while (p[taken] && p[taken] != '\n') {
            size_t length = character(p + taken, strlen(p + taken), &columns);
            if (p[taken] == ' ')
                breakable = taken;
            else if (used + columns > width && taken > 0)
                break;
            used += columns;
            taken += length;
        }
        int ended = p[taken] == '\n' || p[taken] == '\0';
        size_t keep = ended || breakable == 0 ? taken : breakable;
        size_t next = keep;
        while (keep > 0 && p[keep - 1] == ' ')
            keep--;
        lines_add(l, p, keep);
        p += next;
        if (*p == '\n')
            p++;
    }
}
