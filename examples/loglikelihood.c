/*
 * A loglikelihood evaluation in llama.cpp: which continuation of a prompt does the model find the most likely? One
 * llama_decode and one bregman_model_answers for each continuation; no sampler.
 * usage: loglikelihood BACKENDS MODEL        (the folder with libggml's libraries, a GGUF file)
 */
#include <bregman.h>
#include <ggml-backend.h>
#include <llama.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 64 };

typedef struct question {
    const char *prompt, *choices[3];
} question;

static const question questions[] = {
    {"In the beginning God created the", {" heaven and the earth", " earth and a ship", " of of of of"}},
    {"And it came to", {" pass", " fish", " the the"}},
    {"Thou shalt not", {" kill", " sea", " and and and"}},
};

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR)
        fputs(text, stderr);
}

/* ln p of a token in double precision, for comparison. */
static double log_softmax(const float *logits, int32_t vocab, int32_t token)
{
    double max = -INFINITY, sum = 0.0;
    for (int32_t i = 0; i < vocab; i++)
        max = fmax(max, (double)logits[i]);
    for (int32_t i = 0; i < vocab; i++)
        sum += exp((double)logits[i] - max);
    return (double)logits[token] - max - log(sum);
}

/* The sum of ln p of the continuation's tokens; `worst` is the largest difference of one from double precision. */
static int score(struct llama_context *context, const struct llama_vocab *vocab, const char *prompt, const char *choice,
                 double *sum, double *worst, int *most_likely)
{
    llama_token tokens[MOST];
    int32_t n_vocab = llama_vocab_n_tokens(vocab);
    int32_t before = llama_tokenize(vocab, prompt, (int32_t)strlen(prompt), tokens, MOST, true, true);
    int32_t after = llama_tokenize(vocab, choice, (int32_t)strlen(choice), tokens + before, MOST - before, false, true);
    float logprobs[MOST];
    uint32_t ranks[MOST];
    bregman_batch batch = {0};
    bregman_answers answers = {0};
    if (before <= 0 || after <= 0)
        return 0;
    llama_memory_clear(llama_get_memory(context), true);
    struct llama_batch input = llama_batch_init(before + after, 0, 1);
    for (int32_t i = 0; i < before + after; i++) {
        input.token[i] = tokens[i];
        input.pos[i] = i;
        input.n_seq_id[i] = 1;
        input.seq_id[i][0] = 0;
        /* The row after a token predicts the next one. */
        input.logits[i] = i >= before - 1 && i < before + after - 1;
    }
    input.n_tokens = before + after;
    if (llama_decode(context, input) != 0)
        return 0;
    llama_batch_free(input);

    /* llama.cpp's rows of outputs lie one behind the other. */
    const float *rows = llama_get_logits(context);
    batch.struct_size = sizeof batch;
    batch.logits = rows;
    batch.rows = (size_t)after;
    batch.vocab = batch.row_stride = (size_t)n_vocab;
    answers.struct_size = sizeof answers;
    answers.source = BREGMAN_OF_MODEL;
    answers.given = answers.given_stride = 1;
    answers.given_ids = tokens + before;
    answers.given_logprobs = logprobs;
    answers.given_ranks = ranks;
    if (bregman_model_answers(&batch, &answers) != BREGMAN_OK)
        return 0;
    *sum = 0.0;
    *most_likely = 1;
    for (int32_t i = 0; i < after; i++) {
        double exact = log_softmax(rows + (size_t)i * (size_t)n_vocab, n_vocab, tokens[before + i]);
        *worst = fmax(*worst, fabs(exact - (double)logprobs[i]) / (1.0 + fabs(exact)));
        *sum += (double)logprobs[i];
        *most_likely &= ranks[i] == 1;
    }
    return 1;
}

int main(int argc, char **argv)
{
    double worst = 0.0;
    if (argc != 3)
        return 2;
    llama_log_set(quiet, NULL);
    ggml_backend_load_all_from_path(argv[1]);
    struct llama_model *model = llama_model_load_from_file(argv[2], llama_model_default_params());
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = 256;
    struct llama_context *context = model != NULL ? llama_init_from_model(model, params) : NULL;
    if (context == NULL)
        return 1;
    for (size_t q = 0; q < sizeof questions / sizeof *questions; q++) {
        int best = 0;
        double sums[3] = {0};
        for (int c = 0; c < 3; c++) {
            int most_likely = 0;
            if (!score(context, llama_model_get_vocab(model), questions[q].prompt, questions[q].choices[c], &sums[c], &worst,
                       &most_likely))
                return 1;
            printf("%9.4f%s  %s |%s\n", sums[c], most_likely ? " (greedy)" : "", questions[q].prompt, questions[q].choices[c]);
            best = sums[c] > sums[best] ? c : best;
        }
        printf("answer: %s\n", questions[q].choices[best] + 1);
    }
    printf("largest difference from double precision, relative: %.1e\n", worst);
    llama_free(context);
    llama_model_free(model);
    return worst < 1e-6 ? 0 : 1;
}
