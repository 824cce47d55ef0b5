# Thin: everything is in ci/, and can be run by hand.

.PHONY: demo test bench header readme

# The main job: a real llama.cpp writes text through three decoders, side by side. DEMO="--prompt ... --model ..." adds options.
demo:
	@ci/demo.sh $(DEMO)

# Everything that CI runs.
test:
	@ci/test.sh

# Times against the memory floor.
bench:
	cargo bench --bench decode

# include/bregman.h from src/ffi.
header:
	BREGMAN_WRITE_HEADER=1 cargo test --quiet --test header

# The README's tables from the catalogue of stages.
readme:
	BREGMAN_WRITE_README=1 cargo test --quiet --test readme
