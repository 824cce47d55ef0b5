#!/bin/sh
# The ABI gate: compares the library and its header with the baseline in ci/abi/ (docs/abi.md).
# usage: ci/abi.sh [HEADER LIBRARY]   compares; default: the headers in include/ and target/release/libbregman.so, built first
#        ci/abi.sh --list             writes ci/abi/bregman.exports, after functions were added
#        ci/abi.sh --baseline         writes the list and the baseline, at a release and when the version of the ABI changes
#        ci/abi.sh --join OUT         writes the headers as one, for ci/abi_test.sh
#        ci/abi.sh --stub HEADER OUT  writes a stub library of the header, for ci/abi_test.sh
# Functions, constants, and fields at the end of structs that can grow may be added; any other change is a failure.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
committed=$root/ci/abi

fail() {
    echo "ci/abi.sh: $*" >&2
    exit 1
}

# bregman.h and bregman_decisions.h as one header.
join() {
    cat "$root/include/bregman.h"
    grep -v '^#include "bregman.h"$' "$root/include/bregman_decisions.h"
}

# The exported functions of a library.
exports() {
    nm -D --defined-only "$1" | awk '{ print $NF }' | LC_ALL=C sort
}

# The constants of a header: name and value.
constants() {
    awk '$1 == "#define" && NF == 3 { print $2, $3 }' "$1" | LC_ALL=C sort
}

# The version of the ABI in a list of constants.
version() {
    awk '$1 == "BREGMAN_ABI_VERSION" { print $2 }' "$1"
}

# The structs of the baseline that may grow at their end, with their number of fields: "name=number ...". They begin with
# struct_size, or the library states their size (docs/abi.md).
baseline_fields() {
    awk -F "'" '
        /<class-decl name=/ { name = $2; n = 0; grows = name == "bregman_parameter" }
        /<data-member / { n++ }
        /<var-decl name=/ && $2 == "struct_size" && n == 1 { grows = 1 }
        /<\/class-decl>/ { if (grows) printf "%s=%d ", name, n; grows = 0 }' "$committed/bregman.abi"
}

# Compiles a C library $2 with a stub for every function of header $1, with debugging information: the types as a C host
# sees them, without those private to the Rust sources. Of the structs in $3 ("name=number ...") only that number of fields
# is kept.
stub() {
    constants "$1" >"$work/stub.constants"
    ${CC:-cc} -E -P -x c "$1" >"$work/header.i"
    awk -v limits="${3:-}" '
        BEGIN {
            RS = ";"; ORS = ""
            split(limits, list, " ")
            for (i in list) { split(list[i], pair, "="); most[pair[1]] = pair[2] }
        }
        # The record in which a struct begins contains its first field, too.
        match($0, /typedef struct [a-z0-9_]+ *\{/) {
            struct = substr($0, RSTART + length("typedef struct "), RLENGTH)
            sub(/ *\{.*/, "", struct)
            field = 0
        }
        /}/ { struct = "" }
        struct != "" && (struct in most) && ++field > most[struct] { next }
        /[ *]bregman_[a-z0-9_]+\(/ && !/typedef/ { print $0 " { __builtin_trap(); }"; next }
        /[^ \n]/ { print $0 ";" }' "$work/header.i" >"$work/stub.c"
    # In the directory, because the path of the source is part of the description.
    (cd "$work" && ${CC:-cc} -g -shared -fPIC -w "-Wl,-soname,libbregman.so.$(version stub.constants)" stub.c -o stub.so)
    [ "$2" = "$work/stub.so" ] || cp "$work/stub.so" "$2"
}

# Writes libabigail's description of the types of header $1 to file $2; $3 as for stub().
describe() {
    stub "$1" "$work/stub.so" "${3:-}"
    abidw --no-corpus-path --no-comp-dir-path --no-show-locs --out-file "$2" "$work/stub.so"
}

check_exports() {
    exports "$library" >"$work/exports"
    foreign=$(grep -v '^bregman_' "$work/exports" || true)
    [ -z "$foreign" ] || fail "exported, but without the prefix bregman_:
$foreign"
    removed=$(LC_ALL=C comm -23 "$committed/bregman.exports" "$work/exports")
    [ -z "$removed" ] || fail "no longer exported:
$removed"
    stub "$header" "$work/stub.so"
    exports "$work/stub.so" >"$work/declared"
    undeclared=$(LC_ALL=C comm -3 "$work/declared" "$work/exports")
    [ -z "$undeclared" ] || fail "in the header but not exported, or exported but not in the header:
$undeclared"
    added=$(LC_ALL=C comm -13 "$committed/bregman.exports" "$work/exports" | tr '\n' ' ')
    [ -z "$added" ] || echo "abi: added since the last ci/abi.sh --list: $added"
}

check_constants() {
    constants "$header" >"$work/constants"
    changed=$(LC_ALL=C comm -23 "$committed/bregman.constants" "$work/constants")
    [ -z "$changed" ] || fail "constants that were removed or have another value; they were:
$changed"
}

check_soname() {
    soname=libbregman.so.$(version "$work/constants")
    readelf -d "$library" | grep -q "(SONAME).*\[$soname\]" || fail "the SONAME of $library is not $soname"
}

check_types() {
    describe "$header" "$work/bregman.abi" "$(baseline_fields)"
    abidiff --harmless --no-added-syms "$committed/bregman.abi" "$work/bregman.abi" ||
        fail "the types differ from the baseline (abidiff's status $?)"
}

tools() {
    for tool in "${CC:-cc}" nm readelf abidw abidiff; do
        command -v "$tool" >/dev/null || fail "$tool is missing: ci/setup.sh installs it"
    done
}

build() {
    (cd "$root" && cargo build --quiet --release --lib)
}

tools
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
header=$work/headers.h
join >"$header"
library=${CARGO_TARGET_DIR:-$root/target}/release/libbregman.so

case ${1:-} in
    --list)
        build
        exports "$library" >"$committed/bregman.exports"
        echo "abi: $(wc -l <"$committed/bregman.exports") functions listed"
        exit 0
        ;;
    --baseline)
        build
        exports "$library" >"$committed/bregman.exports"
        constants "$header" >"$committed/bregman.constants"
        describe "$header" "$committed/bregman.abi"
        echo "abi: wrote the baseline of version $(version "$committed/bregman.constants")"
        exit 0
        ;;
    --join)
        join >"${2:?--join OUT}"
        exit 0
        ;;
    --stub)
        stub "${2:?--stub HEADER OUT}" "${3:?--stub HEADER OUT}"
        exit 0
        ;;
    '') build ;;
    -*) fail "usage: ci/abi.sh [HEADER LIBRARY | --list | --baseline | --join OUT | --stub HEADER OUT]" ;;
    *)
        header=$1
        library=${2:?usage: ci/abi.sh HEADER LIBRARY}
        ;;
esac

if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    [ -z "${CI:-}" ] || fail "CI must run on x86-64 Linux, the platform of the baseline"
    echo "skipped: the baseline of the ABI gate is for x86-64 Linux"
    exit 0
fi
check_exports
check_constants
check_soname
check_types
echo "abi: $(wc -l <"$work/exports") functions and $(wc -l <"$work/constants") constants, nothing changed"
