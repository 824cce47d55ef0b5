/* Rows of logits as files. */
#include "row.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int cannot_write(const char *path)
{
    fprintf(stderr, "generate: %s cannot be written: %s\n", path, strerror(errno));
    return -1;
}

/* A JSON string. */
static void write_text(FILE *file, const char *bytes, size_t n)
{
    str text = {0};
    utf8 partial = {{0}, 0};
    utf8_push(&partial, bytes, n, &text);
    utf8_finish(&partial, &text);
    fputc('"', file);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '\n' || c == '\t')
            fputs(c == '\n' ? "\\n" : "\\t", file);
        else if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else
            fputc(c, file);
    }
    fputc('"', file);
    free(text.data);
}

static void write_number(FILE *file, float x)
{
    if (isfinite(x))
        fprintf(file, "%.9g", (double)x);
    else /* as Python's json reads and writes them */
        fputs(isnan(x) ? "NaN" : x < 0 ? "-Infinity" : "Infinity", file);
}

static int write_tokens(FILE *file, const engine *e)
{
    int status = 0;
    for (size_t i = 0; i < e->n_vocab && status == 0; i++) {
        str piece = {0};
        status = engine_piece(e, (llama_token)i, true, &piece);
        fputs(i > 0 ? ", " : "", file);
        write_text(file, piece.data ? piece.data : "", piece.len);
        free(piece.data);
    }
    return status;
}

int row_write(engine *e, const char *prompt, const char *path)
{
    if (engine_start(e, prompt) != 0)
        return -1;
    const float *logits = engine_logits(e);
    if (!logits)
        return -1;
    FILE *file = fopen(path, "w");
    if (!file)
        return cannot_write(path);
    fputs("{\"prompt\": ", file);
    write_text(file, prompt, strlen(prompt));
    fputs(",\n\"prompt_tokens\": [", file);
    for (size_t i = 0; i < e->n_prompt; i++)
        fprintf(file, "%s%d", i > 0 ? ", " : "", (int)e->prompt[i]);
    fputs("],\n\"tokens\": [", file);
    int status = write_tokens(file, e);
    fputs("],\n\"logits\": [", file);
    for (size_t i = 0; i < e->n_vocab; i++) {
        fputs(i > 0 ? ", " : "", file);
        write_number(file, logits[i]);
    }
    fputs("]}\n", file);
    int broken = ferror(file);
    if (fclose(file) != 0 || broken)
        return cannot_write(path);
    return status;
}

int row_append(const float *logits, size_t n, const char *path)
{
    FILE *file = fopen(path, "ab");
    if (!file)
        return cannot_write(path);
    size_t written = fwrite(logits, sizeof *logits, n, file);
    return fclose(file) != 0 || written < n ? cannot_write(path) : 0;
}
