/* The model and the texts of the lab's programs. */
#define _GNU_SOURCE /* dladdr */
#include "model.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ggml-backend.h"

_Noreturn void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

static void quiet(enum ggml_log_level level, const char *text, void *unused)
{
    (void)unused;
    if (level == GGML_LOG_LEVEL_ERROR)
        fputs(text, stderr);
}

/* The prebuilt llama.cpp has its backends as libraries beside libllama. */
static void load_backends(void)
{
    void (*function)(void) = llama_backend_init;
    void *address;
    Dl_info info;
    memcpy(&address, &function, sizeof address);
    if (!dladdr(address, &info) || !info.dli_fname || !strrchr(info.dli_fname, '/'))
        fail("the library of llama.cpp cannot be found");
    char *folder = strdup(info.dli_fname);
    *strrchr(folder, '/') = '\0';
    ggml_backend_load_all_from_path(folder);
    free(folder);
    if (ggml_backend_dev_count() == 0)
        fail("llama.cpp has no backend beside its library");
}

struct llama_model *load(const char *path)
{
    llama_log_set(quiet, NULL);
    load_backends();
    struct llama_model *model = llama_model_load_from_file(path, llama_model_default_params());
    if (!model)
        fail("%s cannot be loaded", path);
    return model;
}

void unescape(char *text)
{
    char *out = text;
    for (char *in = text; *in; in++) {
        if (*in == '\\' && in[1]) {
            in++;
            *out++ = *in == 'n' ? '\n' : *in == 't' ? '\t' : *in;
        } else {
            *out++ = *in;
        }
    }
    *out = '\0';
}

int tokenize(const struct llama_vocab *vocab, const char *text, llama_token *tokens, int most)
{
    int n = llama_tokenize(vocab, text, (int32_t)strlen(text), tokens, most, true, true);
    if (n < 0)
        fail("an item has more than %d tokens", most);
    return n;
}
