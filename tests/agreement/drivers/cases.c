/* Rows, masks and words of a case file. */
#include "cases.h"

#include <bregman.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("agreement: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void *allocate(size_t size) {
    void *memory = calloc(1, size ? size : 1);
    if (!memory) {
        die("no memory for %zu bytes", size);
    }
    return memory;
}

void split(char *line, words *out) {
    out->n = 0;
    for (char *at = strtok(line, " "); at; at = strtok(NULL, " ")) {
        if (out->n == sizeof out->word / sizeof *out->word) {
            die("too many words in a line");
        }
        out->word[out->n++] = at;
    }
}

const char *word(const words *w, size_t i) {
    if (i >= w->n) {
        die("`%s` needs more words", w->word[0]);
    }
    return w->word[i];
}

uint64_t number(const words *w, size_t i) {
    char *end;
    const uint64_t value = strtoull(word(w, i), &end, 10);
    if (*end) {
        die("`%s` is not a number", w->word[i]);
    }
    return value;
}

uint32_t hex(const char *text) {
    char *end;
    const unsigned long value = strtoul(text, &end, 16);
    if (*end || end == text) {
        die("`%s` is not hexadecimal", text);
    }
    return (uint32_t)value;
}

float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint32_t to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint32_t dtype_of(const char *name) {
    static const char *const names[] = {"f32", "f16", "bf16"};
    for (uint32_t dtype = 0; dtype < 3; dtype++) {
        if (strcmp(name, names[dtype]) == 0) {
            return dtype;
        }
    }
    die("`%s` is no number format", name);
    return 0;
}

static size_t element(const set *s) { return s->dtype == BREGMAN_F32 ? 4 : 2; }

static set new_set(uint32_t dtype, size_t width, size_t count) {
    set s = {dtype, width, count, NULL};
    s.data = allocate(width * count * element(&s));
    return s;
}

static void put(set *s, size_t at, uint32_t bits) {
    if (at >= s->width * s->count) {
        die("logit %zu is beyond its set", at);
    }
    if (s->dtype == BREGMAN_F32) {
        ((float *)s->data)[at] = from_bits(bits);
    } else {
        ((uint16_t *)s->data)[at] = (uint16_t)bits;
    }
}

/* rows SET TYPE WIDTH COUNT FILE */
set read_rows(const words *w, const char *dir) {
    set s = new_set(dtype_of(word(w, 2)), number(w, 3), number(w, 4));
    char path[4096];
    snprintf(path, sizeof path, "%s%s", dir, word(w, 5));
    FILE *file = fopen(path, "rb");
    const size_t n = s.width * s.count;
    /* The machine is little-endian, as the file is. */
    if (!file || fread(s.data, element(&s), n, file) != n) {
        die("%s cannot be read", path);
    }
    fclose(file);
    return s;
}

/* The sum of the four 16-bit parts of output `i` of splitmix64, as a logit from -16 to 16. */
static float random_logit(uint64_t seed, uint64_t i) {
    uint64_t z = seed + (i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    const int32_t sum = (int32_t)((z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48));
    return (float)(sum - 131070) / 8192.0f;
}

/* random SET WIDTH COUNT SEED */
set random_rows(const words *w) {
    set s = new_set(BREGMAN_F32, number(w, 2), number(w, 3));
    for (size_t i = 0; i < s.width * s.count; i++) {
        put(&s, i, to_bits(random_logit(number(w, 4), i)));
    }
    return s;
}

/* same SET TYPE WIDTH COUNT HEX */
set same_rows(const words *w) {
    set s = new_set(dtype_of(word(w, 2)), number(w, 3), number(w, 4));
    for (size_t i = 0; i < s.width * s.count; i++) {
        put(&s, i, hex(word(w, 5)));
    }
    return s;
}

set upper_rows(const set *from) {
    set s = new_set(BREGMAN_BF16, from->width, from->count);
    for (size_t i = 0; i < s.width * s.count; i++) {
        put(&s, i, to_bits(f32_row(from, 0)[i]) >> 16);
    }
    return s;
}

/* set SET ROW INDEX HEX... */
void change_row(set *s, const words *w) {
    for (size_t i = 4; i < w->n; i++) {
        put(s, number(w, 2) * s->width + number(w, 3) + i - 4, hex(w->word[i]));
    }
}

/* mask MASK WORDS COUNT HEX... */
mask make_mask(const words *w) {
    const size_t n = number(w, 2) * number(w, 3);
    mask m = {number(w, 2), allocate(n * sizeof(uint32_t))};
    for (size_t i = 0; i < n; i++) {
        m.bits[i] = hex(word(w, 4 + i % (w->n - 4)));
    }
    return m;
}

void *row_of(const set *s, size_t row) { return (char *)s->data + row * s->width * element(s); }

float *f32_row(const set *s, size_t row) {
    if (s->dtype != BREGMAN_F32) {
        die("this command takes f32 rows");
    }
    return row_of(s, row);
}
