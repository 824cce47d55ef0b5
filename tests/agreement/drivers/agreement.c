/*
 * The C driver of the cross-language agreement test (tests/agreement/README.md), C11 over bregman.h.
 *
 * usage: agreement CASES
 */
#include "cases.h"
#include "decisions.h"

#include <bregman.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 64, LONGEST_TEXT = 8192 };

/* The sets, masks and samplers so far, by name. */
typedef struct name {
    char text[24];
} name;
typedef struct names {
    name list[MOST_NAMES];
    size_t n;
} names;

static names set_names, mask_names, sampler_names;
static set sets[MOST_NAMES];
static mask masks[MOST_NAMES];
static bregman_sampler *samplers[MOST_NAMES];
static int line_number;

/* The index of a name, or n if it is unknown. */
static size_t find(const names *all, const char *text) {
    size_t i = 0;
    while (i < all->n && strcmp(all->list[i].text, text) != 0) {
        i++;
    }
    return i;
}

static size_t known(const names *all, const char *text) {
    const size_t i = find(all, text);
    if (i == all->n) {
        die("line %d: nothing is called `%s`", line_number, text);
    }
    return i;
}

/* The index of a name, which is added if it is unknown. */
static size_t place(names *all, const char *text) {
    const size_t i = find(all, text);
    if (i == MOST_NAMES || strlen(text) >= sizeof all->list[0].text) {
        die("line %d: no room for `%s`", line_number, text);
    }
    if (i == all->n) {
        strcpy(all->list[all->n++].text, text);
    }
    return i;
}

static bregman_sampler *sampler(const words *w, size_t i) {
    bregman_sampler *s = samplers[known(&sampler_names, word(w, i))];
    if (!s) {
        die("line %d: `%s` was freed", line_number, word(w, i));
    }
    return s;
}

static const set *rows(const words *w, size_t i) { return &sets[known(&set_names, word(w, i))]; }

/* Begins a line of output. */
static void begin(void) { printf("%d", line_number); }

/* Ends it with the result of a call: "ok", or its status and message. */
static void outcome(uint32_t status, const char *message) {
    if (status == BREGMAN_OK) {
        puts(" ok");
    } else {
        printf(" error %u %s\n", (unsigned)status, message);
    }
}

static void print_bits(float value) {
    if (isnan(value)) {
        fputs(" nan", stdout);
    } else {
        printf(" %08x", (unsigned)to_bits(value));
    }
}

static void answer(size_t row, const bregman_result *r, const bregman_sampler *s) {
    begin();
    printf(" %zu", row);
    if (r->status != BREGMAN_OK) {
        outcome(r->status, bregman_sampler_error(s));
        return;
    }
    printf(" ok %d %u", (int)r->token, (unsigned)r->support);
    print_bits(r->p);
    print_bits(r->kept_mass);
    print_bits(r->model_logprob);
    print_bits(r->entropy);
    print_bits(r->ln_kept_mass);
    putchar('\n');
}

/* Gives a sampler a name, and frees the one that had it. */
static void adopt(const char *text, bregman_sampler *made) {
    const size_t i = place(&sampler_names, text);
    bregman_sampler_free(samplers[i]);
    samplers[i] = made;
}

/* new S SEED CHAIN; the chain is the rest of the line. */
static void run_new(const words *w, const char *chain) {
    char error[LONGEST_TEXT] = "";
    bregman_sampler *made = NULL;
    const uint32_t status = bregman_sampler_new(chain, number(w, 2), &made, error, sizeof error);
    if (status == BREGMAN_OK) {
        adopt(word(w, 1), made);
    }
    begin();
    outcome(status, error);
}

/* clone T S */
static void run_clone(const words *w) {
    bregman_sampler *from = sampler(w, 2), *made = NULL;
    const uint32_t status = bregman_sampler_clone(from, &made);
    if (status == BREGMAN_OK) {
        adopt(word(w, 1), made);
    }
    begin();
    outcome(status, bregman_sampler_error(from));
}

/* accept S TOKEN... */
static uint32_t run_accept(const words *w) {
    int32_t tokens[64];
    for (size_t i = 2; i < w->n; i++) {
        tokens[i - 2] = (int32_t)strtol(w->word[i], NULL, 10);
    }
    return bregman_sampler_accept(sampler(w, 1), tokens, w->n - 2);
}

/* bias S ID=HEX... */
static uint32_t run_bias(const words *w) {
    int32_t ids[64];
    float bias[64];
    for (size_t i = 2; i < w->n; i++) {
        char *equals;
        ids[i - 2] = (int32_t)strtol(w->word[i], &equals, 10);
        bias[i - 2] = from_bits(hex(equals + 1));
    }
    return bregman_sampler_set_logit_bias(sampler(w, 1), ids, bias, w->n - 2);
}

static void run_describe(const words *w) {
    char text[LONGEST_TEXT];
    if (bregman_sampler_describe(sampler(w, 1), text, sizeof text) >= sizeof text) {
        die("line %d: the chain is too long", line_number);
    }
    begin();
    printf(" ok %s\n", text);
}

/* score N TOKEN... STAGE */
static void run_score(const words *w) {
    int32_t tokens[64];
    char stage[LONGEST_TEXT] = "", error[LONGEST_TEXT] = "";
    const size_t n = number(w, 1);
    for (size_t i = 0; i < n; i++) {
        tokens[i] = (int32_t)strtol(word(w, i + 2), NULL, 10);
    }
    for (size_t i = n + 2; i < w->n; i++) {
        strcat(strcat(stage, i > n + 2 ? " " : ""), w->word[i]);
    }
    bregman_watermark score = {.struct_size = sizeof score};
    const uint32_t status = bregman_watermark_score(stage, tokens, n, &score, error, sizeof error);
    begin();
    if (status != BREGMAN_OK) {
        outcome(status, error);
        return;
    }
    uint64_t bits[2];
    memcpy(&bits[0], &score.score, sizeof bits[0]);
    memcpy(&bits[1], &score.p_value, sizeof bits[1]);
    printf(" ok %zu %016llx %016llx\n", score.counted, (unsigned long long)bits[0], (unsigned long long)bits[1]);
}

/* decode S SET FIRST COUNT VOCAB */
static void run_decode(const words *w) {
    bregman_sampler *s = sampler(w, 1);
    for (size_t row = number(w, 3); row < number(w, 3) + number(w, 4); row++) {
        bregman_result result;
        bregman_decode(s, f32_row(rows(w, 2), row), number(w, 5), &result);
        answer(row, &result, s);
    }
}

/* batch FLAGS THREADS MASK SET FIRST STEP VOCAB S... */
static void run_batch(const words *w) {
    const set *from = rows(w, 4);
    const size_t first = number(w, 5), step = number(w, 6);
    bregman_sampler *list[64];
    bregman_result results[64];
    bregman_batch batch = {.struct_size = sizeof batch,
                           .dtype = from->dtype,
                           .logits = row_of(from, first),
                           .rows = w->n - 8,
                           .vocab = number(w, 7),
                           .row_stride = step * from->width,
                           .flags = (uint32_t)number(w, 1),
                           .threads = (uint32_t)number(w, 2)};
    if (strcmp(word(w, 3), "-") != 0) {
        const mask *m = &masks[known(&mask_names, word(w, 3))];
        batch.mask = m->bits;
        batch.mask_stride = m->words;
    }
    for (size_t r = 0; r < batch.rows; r++) {
        list[r] = sampler(w, 8 + r);
    }
    bregman_decode_batch(list, &batch, results);
    for (size_t r = 0; r < batch.rows; r++) {
        answer(first + r * step, &results[r], list[r]);
    }
}

/* reduced N T FLAGS THREADS SET FIRST VOCAB S... */
static void run_reduced(const words *w) {
    const set *from = rows(w, 5);
    const size_t n = number(w, 1), first = number(w, 6);
    const float temperature = from_bits(hex(word(w, 2)));
    bregman_sampler *list[64];
    bregman_result results[64];
    double log_rest[64];
    float bound[64];
    bregman_batch batch = {.struct_size = sizeof batch,
                           .dtype = from->dtype,
                           .logits = row_of(from, first),
                           .rows = w->n - 8,
                           .vocab = number(w, 7),
                           .row_stride = from->width,
                           .threads = (uint32_t)number(w, 4)};
    int32_t *ids = allocate(batch.rows * n * sizeof *ids);
    float *logits = allocate(batch.rows * n * sizeof *logits);
    if (bregman_reduce(&batch, 0, n, temperature, ids, logits, log_rest, bound) != BREGMAN_OK) {
        die("line %d: the rows cannot be reduced", line_number);
    }
    batch.logits = logits;
    batch.vocab = batch.row_stride = n;
    batch.ids = ids;
    batch.log_rest = log_rest;
    batch.bound = bound;
    batch.rest_temperature = temperature;
    batch.flags = (uint32_t)number(w, 3);
    for (size_t r = 0; r < batch.rows; r++) {
        list[r] = sampler(w, 8 + r);
    }
    bregman_decode_batch(list, &batch, results);
    for (size_t r = 0; r < batch.rows; r++) {
        answer(first + r, &results[r], list[r]);
    }
    free(ids);
    free(logits);
}

/* distribution S SET ROW VOCAB */
static void run_distribution(const words *w) {
    const size_t vocab = number(w, 4);
    int32_t *ids = allocate(vocab * sizeof *ids);
    float *probs = allocate(vocab * sizeof *probs);
    size_t n = 0;
    bregman_sampler *s = sampler(w, 1);
    const uint32_t status = bregman_distribution(s, f32_row(rows(w, 2), number(w, 3)), vocab, ids, probs, vocab, &n);
    begin();
    if (status != BREGMAN_OK) {
        outcome(status, bregman_sampler_error(s));
    } else {
        printf(" ok %zu", n);
        for (size_t i = 0; i < n; i++) {
            printf(" %d:%08x", (int)ids[i], (unsigned)to_bits(probs[i]));
        }
        putchar('\n');
    }
    free(ids);
    free(probs);
}

/* process S SET ROW VOCAB */
static void run_process(const words *w) {
    const size_t vocab = number(w, 4);
    float *logits = allocate(vocab * sizeof *logits);
    memcpy(logits, f32_row(rows(w, 2), number(w, 3)), vocab * sizeof *logits);
    bregman_sampler *s = sampler(w, 1);
    const uint32_t status = bregman_process(s, logits, vocab);
    begin();
    outcome(status, bregman_sampler_error(s));
    size_t kept = 0;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < vocab; i++) {
        const uint32_t bits = to_bits(logits[i]);
        kept += bits != 0xff800000u;
        for (int shift = 0; shift < 32; shift += 8) {
            hash = (hash ^ (bits >> shift & 0xff)) * 0x100000001b3u;
        }
    }
    begin();
    printf(" row %zu %016llx\n", kept, (unsigned long long)hash);
    free(logits);
}

/* save S */
static void run_save(const words *w) {
    static unsigned char state[LONGEST_TEXT];
    size_t n = 0;
    bregman_sampler *s = sampler(w, 1);
    const uint32_t status = bregman_sampler_save(s, state, sizeof state, &n);
    begin();
    if (status != BREGMAN_OK) {
        outcome(status, bregman_sampler_error(s));
        return;
    }
    fputs(" ok ", stdout);
    for (size_t i = 0; i < n; i++) {
        printf("%02x", state[i]);
    }
    putchar('\n');
}

/* load S HEX */
static void run_load(const words *w) {
    static unsigned char state[LONGEST_TEXT];
    char error[LONGEST_TEXT] = "";
    bregman_sampler *made = NULL;
    const char *text = word(w, 2);
    const size_t n = strlen(text) / 2;
    for (size_t i = 0; i < n; i++) {
        const char byte[3] = {text[2 * i], text[2 * i + 1], '\0'};
        state[i] = (unsigned char)hex(byte);
    }
    const uint32_t status = bregman_sampler_load(state, n, NULL, 0, &made, error, sizeof error);
    if (status == BREGMAN_OK) {
        adopt(word(w, 1), made);
    }
    begin();
    outcome(status, error);
}

/* where S */
static void run_where(const words *w) {
    static int32_t tokens[LONGEST_TEXT];
    uint64_t seed, position;
    size_t n, prompt;
    bregman_sampler *s = sampler(w, 1);
    bregman_sampler_where(s, &seed, &position, NULL, &prompt);
    if (bregman_sampler_history(s, tokens, LONGEST_TEXT, &n) != BREGMAN_OK) {
        die("line %d: the history is too long", line_number);
    }
    begin();
    printf(" ok %llu %llu %zu", (unsigned long long)seed, (unsigned long long)position, prompt);
    for (size_t i = 0; i < n; i++) {
        printf(" %d", (int)tokens[i]);
    }
    putchar('\n');
}

/* A draft of the case file, in arrays of its own. */
typedef struct parsed_draft {
    int32_t tokens[MOST_NAMES], parents[MOST_NAMES], ids[MOST_NAMES];
    float probs[MOST_NAMES];
    size_t offsets[MOST_NAMES];
} parsed_draft;

/* Token ids separated by commas; "-" for none. Returns their number. */
static size_t parse_tokens(char *text, int32_t *to) {
    size_t n = 0;
    if (strcmp(text, "-") != 0) {
        for (char *next = text; next; next = strchr(next, ',')) {
            next += *next == ',';
            to[n++] = (int32_t)strtol(next, NULL, 10);
        }
    }
    return n;
}

/* Laws separated by semicolons, with entries ID:HEX separated by commas. */
static void parse_laws(char *text, parsed_draft *to) {
    size_t laws = 0, n = 0;
    to->offsets[0] = 0;
    for (char *next = text; *next;) {
        char *end;
        to->ids[n] = (int32_t)strtol(next, &end, 10);
        next = end + 1;
        end = next + strcspn(next, ",;");
        const int last = *end != ',';
        const int more = *end != '\0';
        *end = '\0';
        to->probs[n++] = from_bits(hex(next));
        if (last) {
            to->offsets[++laws] = n;
        }
        next = end + more;
    }
}

/* S/RULE/TOKENS/PARENTS/LAWS */
static bregman_draft parse_draft(const char *text, parsed_draft *to, bregman_sampler **s) {
    char copy[LONGEST_TEXT], *part[5];
    snprintf(copy, sizeof copy, "%s", text);
    part[0] = copy;
    for (int i = 1; i < 5; i++) {
        part[i] = strchr(part[i - 1], '/');
        if (!part[i]) {
            die("line %d: `%s` is no draft", line_number, text);
        }
        *part[i]++ = '\0';
    }
    *s = samplers[known(&sampler_names, part[0])];
    bregman_draft d = {.struct_size = sizeof d, .tokens = to->tokens, .n = parse_tokens(part[2], to->tokens)};
    d.rule = strcmp(part[1], "match") == 0   ? BREGMAN_RULE_MATCH
             : strcmp(part[1], "token") == 0 ? BREGMAN_RULE_TOKEN
                                             : BREGMAN_RULE_BLOCK;
    if (strcmp(part[3], "-") != 0) {
        parse_tokens(part[3], to->parents);
        d.parents = to->parents;
    }
    if (strcmp(part[4], "-") != 0) {
        parse_laws(part[4], to);
        d.q_offsets = to->offsets;
        d.q_ids = to->ids;
        d.q_probs = to->probs;
    }
    return d;
}

/* verify FLAGS THREADS SET FIRST VOCAB DRAFT... */
static void run_verify(const words *w) {
    static parsed_draft parsed[MOST_NAMES];
    bregman_draft drafts[MOST_NAMES];
    bregman_sampler *list[MOST_NAMES];
    bregman_result results[MOST_NAMES];
    int32_t path[MOST_NAMES];
    uint32_t accepted[MOST_NAMES];
    const set *from = rows(w, 3);
    const size_t sequences = w->n - 6;
    bregman_batch batch = {.struct_size = sizeof batch,
                           .dtype = from->dtype,
                           .logits = row_of(from, number(w, 4)),
                           .vocab = number(w, 5),
                           .row_stride = from->width,
                           .flags = (uint32_t)number(w, 1),
                           .threads = (uint32_t)number(w, 2)};
    for (size_t s = 0; s < sequences; s++) {
        drafts[s] = parse_draft(word(w, 6 + s), &parsed[s], &list[s]);
        batch.rows += drafts[s].n + 1;
    }
    bregman_verify(list, drafts, sequences, &batch, accepted, path, results);
    for (size_t s = 0, row = 0; s < sequences; row += drafts[s].n + 1, s++) {
        if (results[row].status != BREGMAN_OK) {
            answer(s, &results[row], list[s]);
            continue;
        }
        begin();
        printf(" %zu ok %u", s, (unsigned)accepted[s]);
        for (size_t i = 0; i < accepted[s]; i++) {
            printf(" %d", (int)path[row + i]);
        }
        putchar('\n');
        for (size_t i = 0; i <= accepted[s]; i++) {
            answer(s, &results[row + i], list[s]);
        }
    }
}

/* The commands that only have a status. */
static void run_state(const words *w) {
    const char *command = word(w, 0);
    bregman_sampler *s = sampler(w, 1);
    uint32_t status = BREGMAN_OK;
    if (strcmp(command, "reset") == 0) {
        status = bregman_sampler_reset(s);
    } else if (strcmp(command, "rewind") == 0) {
        status = bregman_sampler_rewind(s, number(w, 2));
    } else if (strcmp(command, "reseed") == 0) {
        status = bregman_sampler_reseed(s, number(w, 2), number(w, 3));
    } else if (strcmp(command, "accept") == 0) {
        status = run_accept(w);
    } else if (strcmp(command, "bias") == 0) {
        status = run_bias(w);
    } else {
        die("line %d: no command `%s`", line_number, command);
    }
    begin();
    outcome(status, bregman_sampler_error(s));
}

static void keep_set(const words *w, set made) {
    const size_t i = place(&set_names, word(w, 1));
    free(sets[i].data);
    sets[i] = made;
}

/* Runs a command that makes or changes rows or masks; whether it was one. */
static int run_data(const words *w, const char *dir) {
    const char *command = word(w, 0);
    if (strcmp(command, "rows") == 0) {
        keep_set(w, read_rows(w, dir));
    } else if (strcmp(command, "random") == 0) {
        keep_set(w, random_rows(w));
    } else if (strcmp(command, "same") == 0) {
        keep_set(w, same_rows(w));
    } else if (strcmp(command, "upper") == 0) {
        keep_set(w, upper_rows(rows(w, 2)));
    } else if (strcmp(command, "set") == 0) {
        change_row(&sets[known(&set_names, word(w, 1))], w);
    } else if (strcmp(command, "mask") == 0) {
        const size_t i = place(&mask_names, word(w, 1));
        free(masks[i].bits);
        masks[i] = make_mask(w);
    } else {
        return 0;
    }
    return 1;
}

static void run(char *line, const char *dir) {
    static const struct {
        const char *command;
        void (*run)(const words *);
    } commands[] = {{"clone", run_clone}, {"describe", run_describe},         {"decode", run_decode},
                    {"batch", run_batch}, {"reduced", run_reduced}, {"distribution", run_distribution}, {"process", run_process},
                    {"save", run_save},   {"load", run_load},                 {"where", run_where},
                    {"verify", run_verify}, {"score", run_score}};
    char chain[LONGEST_TEXT] = "";
    int start = 0;
    sscanf(line, "new %*s %*s %n", &start);
    if (start) {
        snprintf(chain, sizeof chain, "%s", line + start);
    }
    words w;
    split(line, &w);
    if (run_data(&w, dir) || run_decision(&w, (unsigned)line_number)) {
        return;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(word(&w, 0), commands[i].command) == 0) {
            commands[i].run(&w);
            return;
        }
    }
    if (strcmp(word(&w, 0), "new") == 0) {
        run_new(&w, chain);
    } else if (strcmp(word(&w, 0), "free") == 0) {
        const size_t i = known(&sampler_names, word(&w, 1));
        bregman_sampler_free(samplers[i]);
        samplers[i] = NULL;
        begin();
        outcome(BREGMAN_OK, "");
    } else {
        run_state(&w);
    }
}

int main(int argc, char **argv) {
    if (argc != 2) {
        die("usage: agreement CASES");
    }
    FILE *file = fopen(argv[1], "r");
    if (!file) {
        die("%s cannot be read", argv[1]);
    }
    char dir[4096] = "", line[LONGEST_TEXT];
    const char *slash = strrchr(argv[1], '/');
    if (slash) {
        snprintf(dir, sizeof dir, "%.*s", (int)(slash + 1 - argv[1]), argv[1]);
    }
    while (fgets(line, sizeof line, file)) {
        line_number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] && line[0] != '#') {
            run(line, dir);
        }
    }
    fclose(file);
    free_lists();
    for (size_t i = 0; i < MOST_NAMES; i++) {
        bregman_sampler_free(samplers[i]);
        free(sets[i].data);
        free(masks[i].bits);
    }
    return 0;
}
