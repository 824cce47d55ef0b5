/*
 * A smaller model out of a model: a GGUF file without some of its blocks. What is left predicts worse, with the same
 * vocabulary, which makes it a draft for the whole one.
 * usage: shorten IN.gguf OUT.gguf BLOCK...      leaves out these blocks, counted from 0
 */
#include <ggml.h>
#include <gguf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BLOCKS = 1024 };

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "shorten: %s: %s\n", what, why);
    exit(1);
}

static unsigned left_out[MOST_BLOCKS]; /* 1 for each block that is left out */

/* Gives a tensor of a block the name that it has without the blocks left out; 0 if it is one of those. */
static int rename_block(struct ggml_tensor *tensor)
{
    unsigned block, before = 0;
    int rest = 0;
    if (sscanf(tensor->name, "blk.%u.%n", &block, &rest) != 1 || rest == 0)
        return 1;
    if (block >= MOST_BLOCKS || left_out[block])
        return 0;
    for (unsigned i = 0; i < block; i++)
        before += left_out[i];
    char kept[GGML_MAX_NAME];
    snprintf(kept, sizeof kept, "%s", tensor->name + rest);
    ggml_format_name(tensor, "blk.%u.%s", block - before, kept);
    return 1;
}

int main(int argc, char **argv)
{
    char key[256];
    struct ggml_context *tensors = NULL;
    if (argc < 4) {
        fprintf(stderr, "usage: shorten IN.gguf OUT.gguf BLOCK...\n");
        return 2;
    }
    struct gguf_context *in = gguf_init_from_file(argv[1], (struct gguf_init_params){.no_alloc = false, .ctx = &tensors});
    if (in == NULL)
        stop(argv[1], "cannot read the model");
    int64_t kind = gguf_find_key(in, "general.architecture");
    if (kind < 0)
        stop(argv[1], "the file does not say its architecture");
    snprintf(key, sizeof key, "%s.block_count", gguf_get_val_str(in, kind));
    int64_t count = gguf_find_key(in, key);
    if (count < 0)
        stop(argv[1], "the file does not say its number of blocks");
    uint32_t blocks = gguf_get_val_u32(in, count), kept = blocks;
    for (int i = 3; i < argc; i++) {
        char *end;
        unsigned long block = strtoul(argv[i], &end, 10);
        if (*end != '\0' || block >= blocks || block >= MOST_BLOCKS || left_out[block])
            stop(argv[i], "not a block of the model, or named twice");
        left_out[block] = 1;
        kept--;
    }
    if (kept == 0)
        stop(argv[1], "nothing would be left");

    struct gguf_context *out = gguf_init_empty();
    gguf_set_kv(out, in);
    gguf_set_val_u32(out, key, kept);
    for (struct ggml_tensor *t = ggml_get_first_tensor(tensors); t != NULL; t = ggml_get_next_tensor(tensors, t)) {
        /* The data of the whole file are a tensor of their own, without a name in it. */
        if (gguf_find_tensor(in, t->name) >= 0 && rename_block(t))
            gguf_add_tensor(out, t);
    }
    if (!gguf_write_to_file(out, argv[2], false))
        stop(argv[2], "cannot write the model");
    gguf_free(out);
    gguf_free(in);
    ggml_free(tensors);
    return 0;
}
