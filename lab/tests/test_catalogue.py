"""The grid covers the library's catalogue, and gives every method the same budget."""

import bregman

from bregman_lab import catalogue

#: Stages that draw, penalise what was said, ban, or mark: not truncations.
OTHERS = {
    "reasoning_budget", "forced_tokens", "allowed_tokens", "logit_bias", "sequence_bias", "bad_words", "min_tokens",
    "no_repeat_ngram", "penalties", "dry", "synthid", "green_list", "draw", "gumbel", "watermark",
    "ban_invalid", "length_decay",
}  # fmt: skip


def test_every_stage_of_the_library_is_measured_or_left_out_for_a_reason() -> None:
    names = {stage.name for stage in bregman.stages()}
    accounted = catalogue.stage_names() | set(catalogue.LEFT_OUT) | OTHERS
    assert names <= accounted, f"neither in METHODS nor in LEFT_OUT: {sorted(names - accounted)}"
    measured = accounted - OTHERS
    assert measured <= names, f"no stage of the library: {sorted(measured - names)}"


def test_every_chain_of_the_grid_is_accepted_and_no_configuration_is_there_twice() -> None:
    configs = catalogue.grid()
    for config in configs:
        bregman.Sampler(catalogue.drawing(config.chain), seed=1).close()
    assert len({config.chain for config in configs}) == len(configs)


def test_methods_have_equal_budgets() -> None:
    assert {len(values) for _, values in (catalogue.METHODS | catalogue.AT_ONE).values()} == {8}
    count = {m: sum(c.method == m for c in catalogue.grid()) for m in catalogue.METHODS}
    assert set(count.values()) == {8 * 9}
