/* generate: continues a prompt with llama.cpp and bregman, once for each chain on the command line.
 *
 *   options    the command line
 *   engine     llama.cpp: a model to rows of logits
 *   decode     bregman: a row to a token, as a raw decoder or as a stage of llama.cpp's chain
 *   report     output
 *   row        rows as files
 *   watermark  chains that mark their text, and what detectors find in it
 *   text       UTF-8, widths, wrapping
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "decode.h"
#include "engine.h"
#include "options.h"
#include "report.h"
#include "row.h"
#include "watermark.h"

/* The row after the last token. The token is evaluated here, so that the last one of a run is not; the prompt has been
 * evaluated before. */
static enum fed next_row(engine *e, run *r, llama_token last, const float **row)
{
    double start = now();
    enum fed fed = r->n > 0 ? engine_feed(e, last) : FED_OK;
    if (fed != FED_OK)
        return fed;
    *row = engine_logits(e);
    if (r->n > 0) {
        r->model_microseconds += now() - start;
        r->n_model++;
    }
    return *row ? FED_OK : FED_FAILED;
}

/* Draws one token and appends its text. 1 when generation has ended, -1 on failure. */
static int step(engine *e, decoder *d, run *r, decision *chosen, utf8 *partial, const char *rows)
{
    const float *row = NULL;
    enum fed fed = next_row(e, r, chosen->token, &row);
    if (fed == FED_FULL) {
        r->ended = "the context is full";
        return 1;
    }
    if (fed == FED_FAILED || (rows && row_append(row, e->n_vocab, rows) != 0) || decoder_next(d, row, chosen) != 0)
        return -1;
    if (engine_is_end(e, chosen->token)) {
        r->ended = "end of the text";
        return 1;
    }
    str piece = {0};
    int spelled = engine_piece(e, chosen->token, false, &piece);
    if (piece.data)
        utf8_push(partial, piece.data, piece.len, &r->text);
    free(piece.data);
    run_add(r, chosen);
    return spelled;
}

static int generate(engine *e, const options *o, run *r)
{
    decoder *d = decoder_new(o->face, r->chain, o->seed, e->n_vocab);
    if (!d)
        return -1;
    stream *out = NULL;
    utf8 partial = {{0}, 0};
    decision chosen = {0};
    int status = engine_start(e, o->prompt);
    if (status == 0)
        status = decoder_accept(d, e->prompt, e->n_prompt);
    if (status == 0 && !o->columns)
        out = stream_begin(r, o->prompt, o->show_support);

    r->ended = "as many as asked for";
    while (status == 0 && (o->tokens == 0 || r->n < o->tokens)) {
        status = step(e, d, r, &chosen, &partial, o->rows);
        if (out)
            stream_token(out, r);
    }
    if (status < 0)
        r->ended = "failed";
    utf8_finish(&partial, &r->text);
    if (out)
        stream_end(out, r);
    decoder_free(d);
    return status < 0 ? -1 : 0;
}

/* Continues the prompt with each chain. */
static int generate_all(engine *e, const options *o)
{
    run *runs = must_alloc(NULL, o->n_chains, sizeof *runs);
    int status = 0;
    size_t done = 0;
    while (status == 0 && done < o->n_chains) {
        runs[done] = (run){.chain = o->chains[done], .face = o->face};
        status = generate(e, o, &runs[done]);
        done++;
    }
    if (status == 0 && o->columns)
        report_columns(runs, o->n_chains, o->prompt, o->show_support);
    if (status == 0 && o->watermark)
        status = watermark_report(runs, e->n_vocab);
    for (size_t i = 0; i < done; i++)
        run_free(&runs[i]);
    free(runs);
    return status;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "C.UTF-8"); /* for the widths of characters: the text is UTF-8 in every locale */
    options o;
    enum parsed parsed = options_parse(&o, argc, argv);
    if (parsed != PARSED_RUN) {
        options_free(&o);
        return parsed == PARSED_HELP ? 0 : 2;
    }

    engine e;
    int status = engine_open(&e, o.model, o.ctx, o.threads, o.verbose);
    if (status == 0)
        status = o.row ? row_write(&e, o.prompt, o.row) : generate_all(&e, &o);
    engine_close(&e);
    options_free(&o);
    return status == 0 ? 0 : 1;
}
