/* The command line. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "watermark.h"

#define DEFAULT_PROMPT "And it came to pass in those days, that"
#define DEFAULT_CHAIN "temperature(0.8) | bregman(alpha=1.5, floor=0.02) | draw"
#define DEFAULT_TOKENS 90

static void print_help(void)
{
    puts("usage: generate [options]\n"
         "Generates text with llama.cpp, its tokens chosen by bregman.\n"
         "\n"
         "  -m, --model FILE    a GGUF model (default: the tiny model of the project)\n"
         "  -p, --prompt TEXT   what to continue (default: \"" DEFAULT_PROMPT "\")\n"
         "  -c, --chain TEXT    the sampler; may be repeated: the prompt is continued with each\n"
         "                      (default: " DEFAULT_CHAIN ")\n"
         "  -f, --face FACE     raw: the row of logits goes straight to bregman (default);\n"
         "                      stage: bregman is a stage in llama.cpp's own sampler chain\n"
         "  -s, --seed N        seed of the draws (default: 1)\n"
         "  -n, --tokens N      at most so many tokens (default: 90; 0: until the context is full)\n"
         "      --ctx N         context size (default: the model's own, at most 2048)\n"
         "  -t, --threads N     threads of the model (default: one a processor, at most 4; 1 for a tiny model)\n"
         "      --show-support  under each token the number of tokens that it was drawn from\n"
         "      --columns       no streaming: the finished continuations side by side\n"
         "      --watermark     with three chains that mark their text and one that does not, and what detectors\n"
         "                      find in it (200 tokens unless --tokens is given)\n"
         "      --row FILE      no text: writes the logits after the prompt, and the texts of all tokens, as JSON\n"
         "      --rows FILE     adds every row of logits that a token is drawn from to FILE, as float32\n"
         "      --verbose       let llama.cpp speak (to standard error)\n"
         "  -h, --help          this text");
}

static int wrong(const char *option, const char *given, const char *wanted)
{
    fprintf(stderr, "generate: %s: '%s' is not %s\n", option, given, wanted);
    return -1;
}

static int parse_number(const char *option, const char *text, uint64_t most, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    /* strtoull accepts a sign, and converts -1 to a very large number. */
    if (errno != 0 || end == text || *end != '\0' || strchr(text, '-') || n > most)
        return wrong(option, text, "a number in range");
    *out = n;
    return 0;
}

static int parse_u32(const char *option, const char *text, uint32_t *out)
{
    uint64_t n;
    if (parse_number(option, text, INT32_MAX, &n) != 0)
        return -1;
    *out = (uint32_t)n;
    return 0;
}

static int parse_face(const char *text, enum face *out)
{
    if (strcmp(text, "raw") == 0)
        *out = FACE_RAW;
    else if (strcmp(text, "stage") == 0)
        *out = FACE_STAGE;
    else
        return wrong("--face", text, "'raw' or 'stage'");
    return 0;
}

enum { OPT_CTX = 256, OPT_SUPPORT, OPT_COLUMNS, OPT_WATERMARK, OPT_ROW, OPT_ROWS, OPT_VERBOSE };

enum parsed options_parse(options *o, int argc, char **argv)
{
    static const struct option table[] = {
        {"model", required_argument, NULL, 'm'},         {"prompt", required_argument, NULL, 'p'},
        {"chain", required_argument, NULL, 'c'},         {"face", required_argument, NULL, 'f'},
        {"seed", required_argument, NULL, 's'},          {"tokens", required_argument, NULL, 'n'},
        {"ctx", required_argument, NULL, OPT_CTX},       {"threads", required_argument, NULL, 't'},
        {"show-support", no_argument, NULL, OPT_SUPPORT}, {"columns", no_argument, NULL, OPT_COLUMNS},
        {"verbose", no_argument, NULL, OPT_VERBOSE},     {"help", no_argument, NULL, 'h'},
        {"watermark", no_argument, NULL, OPT_WATERMARK}, {"row", required_argument, NULL, OPT_ROW},        {"rows", required_argument, NULL, OPT_ROWS},
        {NULL, 0, NULL, 0},
    };
    *o = (options){
        .model = DEFAULT_MODEL, /* set by the build */
        .prompt = DEFAULT_PROMPT,
        .chains = must_alloc(NULL, (size_t)argc + WATERMARK_CHAINS, sizeof *o->chains),
        .face = FACE_RAW,
        .seed = 1,
    };
    int c, bad = 0;
    bool tokens = false;
    while (!bad && (c = getopt_long(argc, argv, "m:p:c:f:s:n:t:h", table, NULL)) != -1) {
        switch (c) {
        case 'm': o->model = optarg; break;
        case 'p': o->prompt = optarg; break;
        case 'c': o->chains[o->n_chains++] = optarg; break;
        case 'f': bad = parse_face(optarg, &o->face); break;
        case 's': bad = parse_number("--seed", optarg, UINT64_MAX, &o->seed); break;
        case 'n': tokens = true, bad = parse_u32("--tokens", optarg, &o->tokens); break;
        case 't': bad = parse_u32("--threads", optarg, &o->threads); break;
        case OPT_CTX: bad = parse_u32("--ctx", optarg, &o->ctx); break;
        case OPT_SUPPORT: o->show_support = true; break;
        case OPT_COLUMNS: o->columns = true; break;
        case OPT_WATERMARK: o->watermark = true; break;
        case OPT_ROW: o->row = optarg; break;
        case OPT_ROWS: o->rows = optarg; break;
        case OPT_VERBOSE: o->verbose = true; break;
        case 'h': print_help(); return PARSED_HELP;
        default: bad = -1; /* getopt_long has printed why */
        }
    }
    if (!bad && optind < argc)
        bad = wrong("command line", argv[optind], "an option");
    if (!bad && o->watermark && o->n_chains > 0)
        bad = wrong("--chain", o->chains[0], "to be given with --watermark, which has chains of its own");
    if (bad) {
        fputs("generate --help lists the options\n", stderr);
        return PARSED_WRONG;
    }
    if (!tokens)
        o->tokens = o->watermark ? WATERMARK_TOKENS : DEFAULT_TOKENS;
    for (size_t i = 0; o->watermark && i < WATERMARK_CHAINS; i++)
        o->chains[o->n_chains++] = watermark_chains[i];
    if (o->n_chains == 0)
        o->chains[o->n_chains++] = DEFAULT_CHAIN; /* argc >= 1, so there is room */
    return PARSED_RUN;
}

void options_free(options *o)
{
    free(o->chains);
}
