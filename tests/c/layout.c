/*
 * Prints every constant of the header, and every field with its offset and size, as a C compiler sees them. The test that
 * runs this reads from the text of the header what must be here.
 */
#include "consumer.h"

#include <stdio.h>

#define CONSTANT(name) printf("constant " #name " %lu\n", (unsigned long)(name))
#define STRUCT(type) printf("struct " #type " %lu\n", (unsigned long)sizeof(type))
#define FIELD(type, field)                                                                                             \
    printf("field " #type "." #field " %lu %lu\n", (unsigned long)offsetof(type, field),                               \
           (unsigned long)sizeof(((type *)0)->field))

static void constants(void)
{
    CONSTANT(BREGMAN_ABI_VERSION);
    CONSTANT(BREGMAN_KIND_NUMBER);
    CONSTANT(BREGMAN_KIND_COUNT);
    CONSTANT(BREGMAN_KIND_CHOICE);
    CONSTANT(BREGMAN_KIND_NAME);
    CONSTANT(BREGMAN_KIND_TOKENS);
    CONSTANT(BREGMAN_KIND_SEQUENCES);
    CONSTANT(BREGMAN_KIND_BIASES);
    CONSTANT(BREGMAN_KIND_KEYS);
    CONSTANT(BREGMAN_OF_MODEL);
    CONSTANT(BREGMAN_OF_DECODED);
    CONSTANT(BREGMAN_LLAMA_ABORT);
    CONSTANT(BREGMAN_LLAMA_FALLBACK);
    CONSTANT(BREGMAN_OK);
    CONSTANT(BREGMAN_INVALID_ARGUMENT);
    CONSTANT(BREGMAN_INVALID_CHAIN);
    CONSTANT(BREGMAN_INVALID_LOGITS);
    CONSTANT(BREGMAN_EMPTY_SUPPORT);
    CONSTANT(BREGMAN_NO_CONVERGENCE);
    CONSTANT(BREGMAN_BUFFER_TOO_SMALL);
    CONSTANT(BREGMAN_UNSUPPORTED);
    CONSTANT(BREGMAN_INTERNAL);
    CONSTANT(BREGMAN_INCOMPLETE);
    CONSTANT(BREGMAN_OUT_OF_MEMORY);
    CONSTANT(BREGMAN_F32);
    CONSTANT(BREGMAN_F16);
    CONSTANT(BREGMAN_BF16);
    CONSTANT(BREGMAN_WANT_KEPT_MASS);
    CONSTANT(BREGMAN_WANT_MODEL_LOGPROB);
    CONSTANT(BREGMAN_WANT_ENTROPY);
    CONSTANT(BREGMAN_ACCEPT);
    CONSTANT(BREGMAN_WANT_LN_KEPT);
    CONSTANT(BREGMAN_STAY);
    CONSTANT(BREGMAN_RULE_MATCH);
    CONSTANT(BREGMAN_RULE_TOKEN);
    CONSTANT(BREGMAN_RULE_BLOCK);
}

static void candidates(void)
{
    STRUCT(bregman_candidate);
    FIELD(bregman_candidate, id);
    FIELD(bregman_candidate, logit);
    FIELD(bregman_candidate, p);
    STRUCT(bregman_candidates);
    FIELD(bregman_candidates, data);
    FIELD(bregman_candidates, size);
    FIELD(bregman_candidates, selected);
    FIELD(bregman_candidates, sorted);
}

static void drafts(void)
{
    STRUCT(bregman_draft);
    FIELD(bregman_draft, struct_size);
    FIELD(bregman_draft, rule);
    FIELD(bregman_draft, tokens);
    FIELD(bregman_draft, n);
    FIELD(bregman_draft, parents);
    FIELD(bregman_draft, q_offsets);
    FIELD(bregman_draft, q_ids);
    FIELD(bregman_draft, q_probs);
}

static void catalogue(void)
{
    STRUCT(bregman_parameter);
    FIELD(bregman_parameter, name);
    FIELD(bregman_parameter, aliases);
    FIELD(bregman_parameter, summary);
    FIELD(bregman_parameter, default_value);
    FIELD(bregman_parameter, choices);
    FIELD(bregman_parameter, min);
    FIELD(bregman_parameter, max);
    FIELD(bregman_parameter, kind);
    FIELD(bregman_parameter, min_excluded);
    FIELD(bregman_parameter, required);
    FIELD(bregman_parameter, group);
    STRUCT(bregman_stage);
    FIELD(bregman_stage, struct_size);
    FIELD(bregman_stage, draws);
    FIELD(bregman_stage, learns);
    FIELD(bregman_stage, reserved);
    FIELD(bregman_stage, name);
    FIELD(bregman_stage, aliases);
    FIELD(bregman_stage, summary);
    FIELD(bregman_stage, source);
    FIELD(bregman_stage, parameters);
    FIELD(bregman_stage, parameter_count);
    FIELD(bregman_stage, parameter_size);
}

static void rows(void)
{
    STRUCT(bregman_result);
    FIELD(bregman_result, token);
    FIELD(bregman_result, status);
    FIELD(bregman_result, support);
    FIELD(bregman_result, p);
    FIELD(bregman_result, kept_mass);
    FIELD(bregman_result, model_logprob);
    FIELD(bregman_result, entropy);
    FIELD(bregman_result, ln_kept_mass);
    STRUCT(bregman_batch);
    FIELD(bregman_batch, struct_size);
    FIELD(bregman_batch, dtype);
    FIELD(bregman_batch, logits);
    FIELD(bregman_batch, rows);
    FIELD(bregman_batch, vocab);
    FIELD(bregman_batch, row_stride);
    FIELD(bregman_batch, mask);
    FIELD(bregman_batch, mask_stride);
    FIELD(bregman_batch, flags);
    FIELD(bregman_batch, threads);
    FIELD(bregman_batch, ids);
    FIELD(bregman_batch, lengths);
    FIELD(bregman_batch, log_rest);
    FIELD(bregman_batch, bound);
    FIELD(bregman_batch, rest_temperature);
    FIELD(bregman_batch, row_index);
    STRUCT(bregman_answers);
    FIELD(bregman_answers, struct_size);
    FIELD(bregman_answers, source);
    FIELD(bregman_answers, logprobs);
    FIELD(bregman_answers, ranks);
    FIELD(bregman_answers, top);
    FIELD(bregman_answers, top_stride);
    FIELD(bregman_answers, top_ids);
    FIELD(bregman_answers, top_logprobs);
    FIELD(bregman_answers, kept);
    FIELD(bregman_answers, kept_stride);
    FIELD(bregman_answers, kept_ids);
    FIELD(bregman_answers, kept_mask);
    FIELD(bregman_answers, kept_mask_stride);
    FIELD(bregman_answers, given);
    FIELD(bregman_answers, given_stride);
    FIELD(bregman_answers, given_ids);
    FIELD(bregman_answers, given_logprobs);
    FIELD(bregman_answers, given_ranks);
    FIELD(bregman_answers, other_logprobs);
    FIELD(bregman_answers, other_top_logprobs);
    FIELD(bregman_answers, kept_offsets);
    STRUCT(bregman_generator);
    FIELD(bregman_generator, struct_size);
    FIELD(bregman_generator, reserved);
    FIELD(bregman_generator, name);
    FIELD(bregman_generator, user);
    FIELD(bregman_generator, phi);
    FIELD(bregman_generator, f);
    FIELD(bregman_generator, f_inverse);
    FIELD(bregman_generator, f_prime);
    STRUCT(bregman_watermark);
    FIELD(bregman_watermark, struct_size);
    FIELD(bregman_watermark, reserved);
    FIELD(bregman_watermark, score);
    FIELD(bregman_watermark, p_value);
    FIELD(bregman_watermark, counted);
}

/* tests/api.rs compares the other fields, functions, with the exported symbols. */
static void table(void)
{
    STRUCT(bregman_api);
    FIELD(bregman_api, struct_size);
    FIELD(bregman_api, abi);
}

void print_layout(void)
{
    constants();
    candidates();
    drafts();
    catalogue();
    rows();
    table();
}
