/* Eight sequences in eight threads, each with its own context and chain: the texts are the same as one by one. */
#include "llama_test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 8, TOKENS = 60 };

typedef struct sequence {
    struct llama_context *context;
    unsigned number;
    llama_token text[TOKENS];
} sequence;

static const char *const chains[] = {
    "temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw",
    "top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8) | draw",
    "bregman(alpha=2, mode=dual, floor=0.01) | draw",
    "temperature(1.1) | draw",
};

static void *write_text(void *user)
{
    sequence *s = user;
    struct llama_sampler *chain = new_chain();
    llama_token prompt[64];
    llama_sampler_chain_add(chain, stage(chains[s->number % 4], s->number));
    start(s->context, s->number, prompt);
    for (int i = 0; i < TOKENS; i++) {
        s->text[i] = llama_sampler_sample(chain, s->context, -1);
        feed(s->context, &s->text[i], 1);
    }
    llama_sampler_free(chain);
    return NULL;
}

void test_threads(struct llama_model *model)
{
    static sequence alone[THREADS], together[THREADS];
    pthread_t threads[THREADS];
    unsigned different = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        alone[i].context = together[i].context = new_context(model);
        alone[i].number = together[i].number = i;
        write_text(&alone[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, write_text, &together[i]) == 0);
    for (unsigned i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(memcmp(alone[i].text, together[i].text, sizeof alone[i].text) == 0);
        different += i > 0 && memcmp(alone[i].text, alone[0].text, sizeof alone[i].text) != 0;
        llama_free(alone[i].context);
    }
    CHECK(different == THREADS - 1);
    printf("threads %d\n", THREADS);
}
