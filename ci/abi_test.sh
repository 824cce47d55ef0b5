#!/bin/sh
# Tests the ABI gate: it must refuse edits of the header that break hosts, and accept those that do not.
# usage: ci/abi_test.sh
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
"$root/ci/setup.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
"$root/ci/abi.sh" --join "$work/headers.h"

# gate MESSAGE SED [LIBRARY]: runs the gate on the headers, joined, after the edit, and on LIBRARY or a stub of the edited header. It
# must fail with MESSAGE, or pass if that is `ok`.
gate() {
    sed "$2" "$work/headers.h" >"$work/bregman.h"
    [ "$1" = unchanged ] || ! cmp -s "$work/headers.h" "$work/bregman.h" || refuse "$2" "the edit changed nothing"
    library=${3:-}
    if [ -z "$library" ]; then
        library=$work/library.so
        "$root/ci/abi.sh" --stub "$work/bregman.h" "$library"
    fi
    status=0
    said=$("$root/ci/abi.sh" "$work/bregman.h" "$library" 2>&1) || status=$?
    case $1 in
        ok | unchanged) [ "$status" -eq 0 ] || refuse "$2" "must pass: $said" ;;
        *)
            [ "$status" -ne 0 ] || refuse "$2" "must fail"
            echo "$said" | grep -q "$1" || refuse "$2" "must fail because of '$1': $said"
            ;;
    esac
    passed=$((passed + 1))
}

refuse() {
    echo "ci/abi_test.sh: $1: $2" >&2
    exit 1
}

types='the types differ from the baseline'

# Compatible edits.
gate unchanged ''
gate ok 's/^uint32_t bregman_abi_version(void);/&\nuint32_t bregman_something_new(const char *text);/'
gate ok 's/^uint32_t bregman_process(struct bregman_sampler \*sampler,/uint32_t bregman_process(struct bregman_sampler *handle,/'
gate ok 's/^#define BREGMAN_ACCEPT 8/&\n#define BREGMAN_SOMETHING_NEW 16/'
gate ok 's/^} bregman_api;/    uint32_t (*something_new)(const char *text);\n&/'
gate ok 's/^} bregman_batch;/    uint64_t something_new;\n&/'
gate ok 's/^} bregman_gate_options;/    uint64_t something_new;\n&/'
gate ok 's/^} bregman_verdict;/    double something_new;\n&/'
gate ok 's/^} bregman_decisions;/    uint32_t (*something_new)(const char *text);\n&/'
gate ok 's/^} bregman_generator;/    bregman_vector_fn something_new;\n&/'
gate ok 's/^} bregman_parameter;/    const char *something_new;\n&/'
gate ok 's/^} bregman_stage;/    size_t something_new;\n&/'

# Edits that break hosts.
gate "$types" 's/^    float kept_mass;/    double kept_mass;/'
gate "$types" 's/^    float kept_mass;/    uint32_t kept_mass;/'
gate "$types" 's/^    float kept_mass;/    float mass_kept;/'
gate "$types" 's/^} bregman_result;/    uint32_t something_new;\n&/'
gate "$types" 's/^} bregman_candidate;/    uint32_t something_new;\n&/'
gate "$types" 's/^    uint32_t dtype;/    uint32_t something_new;\n&/'
gate "$types" 's/^    size_t row_stride;/    uint32_t row_stride;/; s/^} bregman_batch;/    uint64_t something_new;\n&/'
gate "$types" '/^typedef struct bregman_batch/,/^} bregman_batch/{/^    uint32_t flags;/d;/^    size_t vocab;/d}'
gate "$types" 's/^    const char \*(\*simd_level)(void);/    uint32_t (*something_new)(void);\n&/'
gate "$types" 's/(\*status_text)(uint32_t status)/(*status_text)(uint64_t status)/'
gate "$types" 's/^size_t bregman_stage_count(void);/uint32_t bregman_stage_count(void);/'
gate "$types" 's/bregman_process(struct bregman_sampler \*sampler, float \*logits/bregman_process(struct bregman_sampler *sampler, double *logits/'
gate "$types" 's/^void bregman_sampler_free(struct bregman_sampler \*sampler)/void bregman_sampler_free(struct bregman_sampler *sampler, uint32_t how)/'
gate 'no longer exported' '/^void bregman_sampler_free(/d'
gate 'constants that were removed' 's/^#define BREGMAN_EMPTY_SUPPORT 4/#define BREGMAN_EMPTY_SUPPORT 9/'
gate 'constants that were removed' '/^#define BREGMAN_BF16 /d'
gate 'constants that were removed' 's/^#define BREGMAN_ABI_VERSION 1/#define BREGMAN_ABI_VERSION 2/'

# A library that does not fit the header.
"$root/ci/abi.sh" --stub "$work/headers.h" "$work/good.so"
gate 'but not exported' 's/^uint32_t bregman_abi_version(void);/&\nuint32_t bregman_something_new(void);/' "$work/good.so"
echo 'void leaked(void) {}' | cat "$work/headers.h" - >"$work/leaking.c"
${CC:-cc} -shared -fPIC -x c "$work/leaking.c" -o "$work/leaking.so"
gate 'exported, but without the prefix' 's/^#define BREGMAN_ACCEPT 8/& /' "$work/leaking.so"
sed 's/^#define BREGMAN_ABI_VERSION 1/#define BREGMAN_ABI_VERSION 7/' "$work/headers.h" >"$work/seven.h"
"$root/ci/abi.sh" --stub "$work/seven.h" "$work/seven.so"
gate 'the SONAME of' 's/^#define BREGMAN_ACCEPT 8/& /' "$work/seven.so"

echo "abi: $passed headers tested"
