/* Output: the text as it is generated, the supports under it, continuations side by side, and the figures. */
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void run_add(run *r, const decision *d)
{
    if (r->n == r->cap) {
        r->cap = r->cap * 2 + 64;
        r->token = must_alloc(r->token, r->cap, sizeof *r->token);
    }
    r->token[r->n++] = (token_record){.end = r->text.len, .id = d->token, .support = d->support};
    r->kept_mass += d->kept_mass;
    r->sampler_microseconds += d->microseconds;
}

void run_free(run *r)
{
    free(r->text.data);
    free(r->token);
}

/* A pair of lines: tokens above, their supports below, each number under the first letter of its token. */
typedef struct pair {
    str above, beneath;
    size_t width;
} pair;

static void pair_flush(pair *p, lines *out)
{
    if (p->above.len == 0)
        return;
    lines_add(out, p->above.data, p->above.len);
    lines_add(out, p->beneath.data, p->beneath.len);
    p->above.len = p->beneath.len = 0;
}

static void pair_add(pair *p, const char *text, size_t n, uint32_t support, lines *out)
{
    str cell = {0}, number = {0};
    for (size_t i = 0; i < n; i++)
        str_add(&cell, text[i] == '\n' ? "⏎" : text[i] == '\t' ? " " : &text[i], text[i] == '\n' ? strlen("⏎") : 1);
    str_format(&number, "%u", support);
    size_t lead = n > 0 && text[0] == ' ', wide = text_width(cell.data, cell.len);

    for (;;) {
        size_t at = text_width(p->above.data, p->above.len);
        /* Numbers need a space between them: if that moves this one, its token moves, too. */
        size_t room = p->beneath.len > 0 ? p->beneath.len + 1 : 0;
        size_t moved = room > at + lead ? room - (at + lead) : 0;
        size_t right = at + moved + (wide > lead + number.len ? wide : lead + number.len);
        if (right > p->width && at > 0) {
            pair_flush(p, out);
            continue;
        }
        /* Inside a word the gap is dotted, so that it does not look like a space. */
        for (size_t i = 0; i < moved; i++)
            str_add(&p->above, lead || at == 0 ? " " : "·", lead || at == 0 ? 1 : strlen("·"));
        str_add(&p->above, cell.data, cell.len);
        str_pad(&p->beneath, at + moved + lead - p->beneath.len);
        str_add(&p->beneath, number.data, number.len);
        break;
    }
    if (n > 0 && text[n - 1] == '\n')
        pair_flush(p, out);
    free(cell.data);
    free(number.data);
}

static void pair_add_token(pair *p, const run *r, size_t i, lines *out)
{
    size_t start = i > 0 ? r->token[i - 1].end : 0;
    pair_add(p, r->text.data + start, r->token[i].end - start, r->token[i].support, out);
}

static void pair_free(pair *p)
{
    free(p->above.data);
    free(p->beneath.data);
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

typedef struct figures {
    double mean, median, kept_mass, model, sampler;
    uint32_t most;
} figures;

static figures figures_of(const run *r)
{
    figures f = {.model = r->n_model ? r->model_microseconds / (double)r->n_model : NAN};
    if (r->n == 0)
        return (figures){NAN, NAN, NAN, f.model, NAN, 0};
    uint32_t *support = must_alloc(NULL, r->n, sizeof *support);
    for (size_t i = 0; i < r->n; i++) {
        support[i] = r->token[i].support;
        f.mean += support[i] / (double)r->n;
    }
    qsort(support, r->n, sizeof *support, ascending);
    f.median = (support[(r->n - 1) / 2] + (double)support[r->n / 2]) / 2;
    f.most = support[r->n - 1];
    free(support);
    f.kept_mass = r->kept_mass / (double)r->n;
    f.sampler = r->sampler_microseconds / (double)r->n;
    return f;
}

/* The distribution in which the kept mass was measured: see decision.kept_mass. */
static const char *measured_in(const run *r)
{
    return r->face == FACE_RAW ? "tempered" : "untempered";
}

static void print_lines(lines *l)
{
    for (size_t i = 0; i < l->n; i++)
        puts(l->line[i]);
    lines_free(l);
}

static void print_figures(const run *r)
{
    figures f = figures_of(r);
    str text = {0};
    str_format(&text, "%zu tokens (%s); support: mean %.1f, median %.0f, max %u; kept mass: mean %.3f (%s); ", r->n, r->ended, f.mean,
               f.median, f.most, f.kept_mass, measured_in(r));
    str_format(&text, "per token: %.1f µs in the model, %.1f µs in the sampler", f.model, f.sampler);
    lines wrapped = {0};
    lines_wrap(&wrapped, text.data, terminal_width());
    putchar('\n');
    print_lines(&wrapped);
    putchar('\n');
    free(text.data);
}

struct stream {
    bool show_support;
    size_t printed; /* bytes of run.text */
    size_t shown;   /* tokens in `pair` or printed */
    pair pair;
};

stream *stream_begin(const run *r, const char *prompt, bool show_support)
{
    stream *s = must_alloc(NULL, 1, sizeof *s);
    *s = (stream){.show_support = show_support, .pair.width = terminal_width()};
    printf("[%s]\n%s%s", r->chain, prompt, show_support ? "\n" : "");
    fflush(stdout);
    return s;
}

void stream_token(stream *s, const run *r)
{
    if (s->show_support) {
        lines ready = {0};
        for (; s->shown < r->n; s->shown++)
            pair_add_token(&s->pair, r, s->shown, &ready);
        print_lines(&ready);
    } else if (r->text.len > s->printed) {
        fwrite(r->text.data + s->printed, 1, r->text.len - s->printed, stdout);
        s->printed = r->text.len;
    }
    fflush(stdout);
}

void stream_end(stream *s, const run *r)
{
    stream_token(s, r);
    if (s->show_support) {
        lines rest = {0};
        pair_flush(&s->pair, &rest);
        print_lines(&rest);
    } else {
        putchar('\n');
    }
    if (r->n > 0)
        print_figures(r);
    pair_free(&s->pair);
    free(s);
}

#define BETWEEN " │ "
enum { LEAST_COLUMN = 24 };

/* Prints blocks side by side, each padded to the column's width and to the height of the highest; frees them. */
static void print_beside(lines *block, size_t n, size_t width)
{
    size_t height = 0;
    for (size_t c = 0; c < n; c++)
        height = block[c].n > height ? block[c].n : height;
    for (size_t row = 0; row < height; row++) {
        str line = {0};
        for (size_t c = 0; c < n; c++) {
            const char *text = row < block[c].n ? block[c].line[row] : "";
            size_t wide = text_width(text, strlen(text));
            if (c > 0)
                str_add(&line, BETWEEN, strlen(BETWEEN));
            str_add(&line, text, strlen(text));
            if (c + 1 < n)
                str_pad(&line, wide < width ? width - wide : 0);
        }
        puts(line.data);
        free(line.data);
    }
    for (size_t c = 0; c < n; c++)
        lines_free(&block[c]);
}

static void add_rule(lines *l, size_t width)
{
    str rule = {0};
    for (size_t i = 0; i < width; i++)
        str_add(&rule, "─", strlen("─"));
    lines_add(l, rule.data, rule.len);
    free(rule.data);
}

static void add_figure(lines *l, size_t width, const char *label, const char *format, double value)
{
    char number[32];
    int n = snprintf(number, sizeof number, format, value);
    size_t used = text_width(label, strlen(label)) + (size_t)n;
    str line = {0};
    str_add(&line, label, strlen(label));
    str_pad(&line, used < width ? width - used : 1);
    str_add(&line, number, (size_t)n);
    lines_add(l, line.data, line.len);
    free(line.data);
}

static void add_figures(lines *l, size_t width, const run *r)
{
    figures f = figures_of(r);
    add_rule(l, width);
    add_figure(l, width, "tokens", "%.0f", (double)r->n);
    add_figure(l, width, "support, mean", "%.1f", f.mean);
    add_figure(l, width, "         median", "%.0f", f.median);
    add_figure(l, width, "         max", "%.0f", f.most);
    add_figure(l, width, "kept mass, mean", "%.3f", f.kept_mass);
    add_figure(l, width, "model, µs/token", "%.1f", f.model);
    add_figure(l, width, "sampler, µs/token", "%.1f", f.sampler);
}

static void add_text(lines *l, size_t width, const run *r, bool show_support)
{
    if (!show_support) {
        lines_wrap(l, r->text.data ? r->text.data : "", width);
        return;
    }
    pair p = {.width = width};
    for (size_t i = 0; i < r->n; i++)
        pair_add_token(&p, r, i, l);
    pair_flush(&p, l);
    pair_free(&p);
}

void report_columns(const run *runs, size_t n, const char *prompt, bool show_support)
{
    size_t total = terminal_width(), gap = text_width(BETWEEN, strlen(BETWEEN));
    size_t fit = (total + gap) / (LEAST_COLUMN + gap);
    size_t most = fit < 1 ? 1 : fit < n ? fit : n; /* columns side by side; the others go below */
    size_t width = (total + gap) / most - gap;
    lines *block = must_alloc(NULL, most, sizeof *block);

    lines heading = {0};
    lines_wrap(&heading, prompt, total);
    print_lines(&heading);
    for (size_t first = 0; first < n; first += most) {
        size_t count = n - first < most ? n - first : most;
        const run *r = runs + first;
        putchar('\n');
        for (size_t c = 0; c < count; c++) {
            block[c] = (lines){0};
            lines_wrap(&block[c], r[c].chain, width);
        }
        print_beside(block, count, width);
        for (size_t c = 0; c < count; c++) {
            add_rule(&block[c], width);
            add_text(&block[c], width, &r[c], show_support);
        }
        print_beside(block, count, width);
        for (size_t c = 0; c < count; c++)
            add_figures(&block[c], width, &r[c]);
        print_beside(block, count, width);
    }
    free(block);

    str note = {0};
    lines wrapped = {0};
    str_format(&note, "Support%s: how many tokens each token was drawn from. Kept mass: the model's probability of these, %s the temperature.",
               show_support ? " (the numbers under the text)" : "", runs[0].face == FACE_RAW ? "after" : "before");
    lines_wrap(&wrapped, note.data, total);
    putchar('\n');
    print_lines(&wrapped);
    free(note.data);
}
