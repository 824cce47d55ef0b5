# Thin: everything is in ci/, and can be run by hand.

.PHONY: demo evidence models speculate test test-emulated test-sanitized test-threads test-loom test-transformers test-ray test-llama-cpp-python test-vllm test-peers bench bench-table bench-server bench-server-table bench-peers bench-peers-table bench-worst instructions memory fuzz soak advisories install \
        uninstall header documents picture vectors conformance abi-list abi-baseline

# The main job: a real llama.cpp writes text through three decoders, side by side. DEMO="--prompt ... --model ..." adds options;
# DEMO=--real fetches a model that writes English.
demo:
	@ci/demo.sh $(DEMO)

# All tests, in every language; TEST="rust go" runs only some of its parts.
test:
	@ci/test.sh $(TEST)

# On emulated processors: x86 without AVX, with AVX2 only, and 64-bit ARM, under QEMU.
test-emulated:
	@ci/levels.sh

# The C and C++ programs and the Rust tests under AddressSanitizer.
test-sanitized:
	@ci/cpp.sh sanitize
	@ci/sanitized.sh address

# Rust tests under ThreadSanitizer, with an instrumented standard library; THREADS="callers:: threads::" takes some.
test-threads:
	@ci/sanitized.sh threads $(THREADS)

# The thread pool in loom: every order of its threads, up to a number of preemptions. LOOM=--whole takes any, for one model.
test-loom:
	@ci/loom.sh $(LOOM)

# libFuzzer with AddressSanitizer, SECONDS for each target, or RUNS inputs; FUZZ="states faces" takes some targets.
fuzz:
	@SECONDS=$(SECONDS) RUNS=$(RUNS) ci/fuzz.sh $(FUZZ)

# A server's day with 10 000 sequences, for MINUTES; a line a minute.
soak:
	BREGMAN_SOAK_MINUTES=$(or $(MINUTES),10) cargo test --quiet --test soak

# The locked Rust dependencies against the RustSec advisories; DATABASE=DIR is a clone of them, for a machine without a network.
advisories:
	@ci/advisories.sh $(DATABASE)

# Inside the real torch and transformers, beside entmax and mlx-lm: a few GB, once.
test-transformers:
	@ci/transformers.sh

# Samplers that move between actors of a real Ray on this machine: 400 MB, once.
test-ray:
	@ci/ray.sh

# Inside the real llama-cpp-python: built from source, 4 minutes of one core, once.
test-llama-cpp-python:
	@ci/llama_cpp_python.sh

# Whether the samplers of bench-peers still build and draw right, in the environment of test-transformers: 3 to 4 minutes of
# one core the first time.
test-peers:
	@ci/bench_peers.sh --check

# Inside the real vLLM on the CPU: 7 GB, once.
test-vllm:
	@ci/vllm.sh

# Times against one read of the row and against llama.cpp; BENCH="--quick" takes half a minute.
bench:
	@ci/bench.sh $(BENCH)

# The tokens of a server's step, by llama.cpp's samplers and by bregman in its chains and in batches; SERVER="--quick" takes a minute.
bench-server:
	@ci/bench.sh server $(SERVER)

# The tables of a server's step in the README and docs/performance.md from a record: RECORD=benches/record/server-FILE.csv
bench-server-table:
	@ci/bench.sh server --table $(RECORD) --into README.md --into docs/performance.md

# The samplers of candle, llm-samplers, torch and transformers beside bregman; PEERS="--vllm" takes vLLM's environment.
bench-peers:
	@ci/bench_peers.sh $(PEERS)

# Their table in docs/performance.md from records: RECORD="benches/record/peers-FILE.csv benches/record/peers-vllm-FILE.csv"
bench-peers-table:
	@ci/bench_peers.sh --table $(RECORD) --into docs/performance.md

# The ten worst cases, as multiples of a usual decode; WORST="--only dry" takes the chains with that text.
bench-worst:
	@cargo bench --quiet --bench worst -- $(WORST)

# The README's table of times, and that of candidates in docs/performance.md, from a record: RECORD=benches/record/FILE.csv
bench-table:
	@ci/bench.sh --table $(RECORD) --into README.md --into docs/performance.md

# Instructions per decode, which no other load on the machine changes.
instructions:
	@ci/instructions.sh

# Memory of idle sequences; MEMORY="1000 128256 2000": how many, the vocabulary, the history.
memory:
	@ci/memory.sh $(MEMORY)

# Real models for measurements, pinned, into target/models; MODELS="smollm2 gemma3" fetches both (350 MB).
models:
	@ci/models.sh $(MODELS)

# Speculative decoding with two models of llama.cpp, in every way, as a table. SPECULATE="--window 24 --gamma 4 ..." adds options.
speculate:
	@ci/speculate.sh $(SPECULATE)

# docs/evidence.md with its tables and plots: models, rows, measurements. EVIDENCE=--small tests the way there in a minute.
evidence:
	@ci/evidence.sh $(EVIDENCE)

# For C and C++, below PREFIX (/usr/local): libraries, headers, pkg-config, CMake. DESTDIR, LIBDIR and INCLUDEDIR work as well.
install:
	@ci/install.sh

uninstall:
	@ci/install.sh --uninstall

# include/bregman.h and include/bregman_decisions.h from src/ffi, and the Go module's copies of them.
header:
	BREGMAN_WRITE_HEADER=1 cargo test --quiet --test repository header::
	cp include/bregman.h include/bregman_decisions.h bindings/go/internal/native/

# What the documents have from the library: docs/stages.md, and the table and the picture of docs/decoders.md.
documents:
	BREGMAN_WRITE_DOCUMENTS=1 cargo test --quiet --test repository current

# The picture alone: docs/decoders.svg, from a row of the model in models/.
picture:
	BREGMAN_WRITE_DOCUMENTS=1 cargo test --quiet --test repository picture

# tests/transformers/*.json from transformers itself.
vectors:
	tests/transformers/generate.sh
	tests/transformers/history.sh --write

# tests/conformance/vectors.json: what eight engines keep of a row.
conformance:
	python3 tests/conformance/generate.py > tests/conformance/vectors.json

# After functions were added to the ABI; and at a release (docs/abi.md).
abi-list:
	@ci/abi.sh --list

abi-baseline:
	@ci/abi.sh --baseline
