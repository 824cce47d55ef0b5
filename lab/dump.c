/* Writes the logits of a model, with llama.cpp, at the positions that the lab scores.
 *
 *   dump MODEL.gguf ITEMS ROWS INDEX [THREADS]
 *
 * ITEMS has an item a line, three fields with tabs between them, in which \n, \t and \\ are escapes:
 *   force   PROMPT   GOLD    the rows at which each token of GOLD is due, teacher-forced
 *   draw=N  PROMPT           N tokens drawn at temperature 1 from the model itself, and their rows
 * ROWS receives the rows, float16, one after the other. INDEX receives a line for each: item, position, the token that is
 * due, and the model's most likely one. An item whose GOLD does not begin at a token's edge has no rows. A run that was
 * stopped goes on where it was. */
#define _GNU_SOURCE /* asprintf */
#include "model.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONTEXT = 2048, TOKENS = CONTEXT };

typedef struct {
    struct llama_context *context;
    const struct llama_vocab *vocab;
    int32_t n_vocab;
    llama_token cached[TOKENS]; /* what the context has evaluated */
    int n_cached;
} engine;

/* Evaluates tokens[n_cached ..), with logits from position `first` on. What the last item had in common is kept. */
static void evaluate(engine *e, const llama_token *tokens, int n, int first)
{
    int common = 0;
    while (common < e->n_cached && common < first && tokens[common] == e->cached[common])
        common++;
    if (!llama_memory_seq_rm(llama_get_memory(e->context), 0, common, -1)) {
        llama_memory_clear(llama_get_memory(e->context), true);
        common = 0;
    }
    struct llama_batch batch = llama_batch_init(n - common, 0, 1);
    for (int i = common; i < n; i++) {
        int j = batch.n_tokens++;
        batch.token[j] = tokens[i];
        batch.pos[j] = i;
        batch.n_seq_id[j] = 1;
        batch.seq_id[j][0] = 0;
        batch.logits[j] = i >= first;
    }
    if (llama_decode(e->context, batch))
        fail("llama.cpp could not evaluate %d tokens", n);
    llama_batch_free(batch);
    memcpy(e->cached, tokens, (size_t)n * sizeof *tokens);
    e->n_cached = n;
}

/* Round to nearest even; logits are far from float16's largest number. */
static uint16_t half(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude >= 0x47800000)
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) { /* subnormal: a multiple of 2^-24 */
        float positive;
        memcpy(&positive, &magnitude, sizeof positive);
        return (uint16_t)(sign | (uint32_t)lrintf(positive * 16777216.0f));
    }
    magnitude += 0xfff + (magnitude >> 13 & 1);
    return (uint16_t)(sign | ((magnitude - 0x38000000) >> 13));
}

static llama_token largest(const float *logits, int32_t n)
{
    int32_t best = 0;
    for (int32_t i = 1; i < n; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

static double uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return ((double)((z ^ z >> 31) >> 11) + 0.5) / 9007199254740992.0;
}

static llama_token draw(const float *logits, int32_t n, uint64_t *state)
{
    double most = logits[largest(logits, n)], sum = 0;
    for (int32_t i = 0; i < n; i++)
        sum += exp(logits[i] - most);
    double left = uniform(state) * sum;
    for (int32_t i = 0; i < n; i++)
        if ((left -= exp(logits[i] - most)) < 0)
            return i;
    return largest(logits, n);
}

static void write_row(FILE *rows, FILE *index, const float *logits, int32_t n, long item, int position, llama_token due)
{
    static uint16_t *row;
    if (!row && !(row = malloc((size_t)n * sizeof *row)))
        fail("no memory");
    for (int32_t i = 0; i < n; i++)
        row[i] = half(logits[i]);
    if (fwrite(row, sizeof *row, (size_t)n, rows) != (size_t)n)
        fail("the rows could not be written");
    fprintf(index, "%ld\t%d\t%d\t%d\n", item, position, (int)due, (int)largest(logits, n));
}

static void force(engine *e, const char *prompt, const char *gold, long item, FILE *rows, FILE *index)
{
    static llama_token before[TOKENS], all[TOKENS];
    char *joined;
    if (asprintf(&joined, "%s%s", prompt, gold) < 0)
        fail("no memory");
    int n_before = tokenize(e->vocab, prompt, before, TOKENS), n = tokenize(e->vocab, joined, all, TOKENS);
    free(joined);
    if (n <= n_before || memcmp(before, all, (size_t)n_before * sizeof *all) != 0)
        return;
    evaluate(e, all, n - 1, n_before - 1);
    for (int i = n_before; i < n; i++)
        write_row(rows, index, llama_get_logits_ith(e->context, i - n), e->n_vocab, item, i - n_before, all[i]);
}

static void continue_with(engine *e, const char *prompt, int count, long item, FILE *rows, FILE *index)
{
    static llama_token tokens[TOKENS];
    uint64_t state = (uint64_t)item * 0x2545F4914F6CDD1D + 1;
    int n_before = tokenize(e->vocab, prompt, tokens, TOKENS);
    for (int n = n_before; n < n_before + count && n < TOKENS; n++) {
        evaluate(e, tokens, n, n - 1);
        const float *logits = llama_get_logits_ith(e->context, -1);
        tokens[n] = draw(logits, e->n_vocab, &state);
        write_row(rows, index, logits, e->n_vocab, item, n - n_before, tokens[n]);
        if (llama_vocab_is_eog(e->vocab, tokens[n]))
            return;
    }
}

/* The number of items that a former run finished; cuts what it left of the next one off both files. */
static long resume(const char *rows, const char *index, size_t row_bytes)
{
    char line[128];
    long done = 0, lines = 0, end = 0;
    FILE *old = fopen(index, "r");
    if (!old)
        return 0;
    while (fgets(line, sizeof line, old)) {
        if (*line == '=') { /* the mark behind each item */
            done++;
            end = ftell(old);
        }
    }
    rewind(old);
    while (ftell(old) < end && fgets(line, sizeof line, old))
        lines += *line != '=';
    fclose(old);
    if (truncate(index, end) || truncate(rows, (off_t)((size_t)lines * row_bytes)))
        fail("%s and %s cannot be cut to the %ld items that are done", rows, index, done);
    return done;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        fail("usage: dump MODEL.gguf ITEMS ROWS INDEX [THREADS]");
    struct llama_model *model = load(argv[1]);
    struct llama_context_params parameters = llama_context_default_params();
    int most = llama_model_n_ctx_train(model) < CONTEXT ? llama_model_n_ctx_train(model) : CONTEXT;
    parameters.n_ctx = (uint32_t)most;
    parameters.n_batch = parameters.n_ubatch = (uint32_t)most;
    parameters.swa_full = true; /* or what the last item had in common could not be kept */
    parameters.n_threads = parameters.n_threads_batch = argc > 5 ? atoi(argv[5]) : 2;
    static engine e;
    e.context = llama_init_from_model(model, parameters);
    if (!e.context)
        fail("llama.cpp made no context");
    e.vocab = llama_model_get_vocab(model);
    e.n_vocab = llama_vocab_n_tokens(e.vocab);

    FILE *items = fopen(argv[2], "r");
    if (!items)
        fail("%s cannot be read", argv[2]);
    long done = resume(argv[3], argv[4], (size_t)e.n_vocab * sizeof(uint16_t)), item = 0;
    FILE *rows = fopen(argv[3], "ab"), *index = fopen(argv[4], "a");
    if (!rows || !index)
        fail("%s or %s cannot be written", argv[3], argv[4]);
    static char line[LONGEST_LINE];
    for (; fgets(line, sizeof line, items); item++) {
        if (item < done)
            continue;
        line[strcspn(line, "\n")] = '\0';
        char *rest = line, *kind = strsep(&rest, "\t"), *prompt = strsep(&rest, "\t"), *gold = strsep(&rest, "\t");
        if (!prompt)
            fail("item %ld has no prompt", item);
        unescape(prompt);
        if (strncmp(kind, "draw=", 5) == 0) {
            continue_with(&e, prompt, atoi(kind + 5), item, rows, index);
        } else if (strcmp(kind, "force") == 0 && gold) {
            unescape(gold);
            force(&e, prompt, gold, item, rows, index);
        } else {
            fail("item %ld is neither forced nor drawn", item);
        }
        /* The rows first, so that the mark is never ahead of them. */
        if (fflush(rows) || fprintf(index, "=%ld\n", item) < 0 || fflush(index))
            fail("item %ld could not be written", item);
        printf("%ld\n", item + 1);
        fflush(stdout);
    }
    printf("vocab %" PRId32 "\n", e.n_vocab);
    llama_free(e.context);
    llama_model_free(model);
    return fclose(rows) || fclose(index);
}
