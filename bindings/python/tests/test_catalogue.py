"""The catalogue of stages and macros, compared with what chains accept."""

from __future__ import annotations

import pytest

import bregman

_VALUES = {
    bregman.Kind.TOKENS: "2 32000",
    bregman.Kind.SEQUENCES: "13; 25 11",
    bregman.Kind.BIASES: "15:-2.5 30:-inf",
    bregman.Kind.KEYS: "0x9d3c55aa10f2e671",
}


def _value(parameter: bregman.Parameter) -> str:
    if parameter.kind in _VALUES:
        return _VALUES[parameter.kind]
    if parameter.kind is bregman.Kind.CHOICE:
        return parameter.choices[0]
    assert parameter.kind in (bregman.Kind.NUMBER, bregman.Kind.COUNT)
    assert parameter.min <= parameter.max
    return str(int(parameter.max)) if parameter.max <= 1 else "1"


def _text(stage: bregman.Stage) -> str:
    """The least parameters of a stage: the required ones, and one of each group without a default."""
    given = [p for p in stage.parameters if p.required]
    for group in {p.group for p in stage.parameters} - {None}:
        members = [p for p in stage.parameters if p.group == group]
        if not any(p.default for p in members):
            given.append(members[-1])
    return f"({', '.join(f'{p.name}={_value(p)}' for p in given)})" if given else ""


@pytest.mark.parametrize("stage", bregman.stages(), ids=lambda stage: str(stage.name))
def test_chains_accept_every_stage_under_all_its_names(stage: bregman.Stage) -> None:
    assert stage.summary
    assert stage.source
    for name in (stage.name, *stage.aliases):
        chain = bregman.Sampler(name + _text(stage)).describe()
        assert chain.split("(")[0] == stage.name
    if stage.draws:
        with pytest.raises(bregman.InvalidChainError):
            bregman.Sampler(f"{stage.name}{_text(stage)} | temperature(1)")


@pytest.mark.parametrize("macro", bregman.macros(), ids=lambda macro: str(macro.name))
def test_chains_accept_every_macro_as_its_stages(macro: bregman.Stage) -> None:
    known = {stage.name for stage in bregman.stages()}
    assert macro.draws
    assert macro.name not in known
    assert macro.summary
    assert macro.source
    for name in (macro.name, *macro.aliases):
        chain = bregman.Sampler(name + _text(macro)).describe()
        assert {stage.split("(")[0].strip() for stage in chain.split("|")} <= known
        with pytest.raises(bregman.InvalidChainError):
            bregman.Sampler(f"{name}{_text(macro)} | temperature(1)")


def test_the_usual_stages_and_macros_exist() -> None:
    stages = {stage.name for stage in bregman.stages()}
    assert {"temperature", "bregman", "top_k", "top_p", "min_p", "penalties", "draw", "greedy"} <= stages
    assert {stage.name for stage in bregman.stages() if stage.learns} == {"mirostat", "mirostat_v2", "adaptive_p"}
    assert {macro.name for macro in bregman.macros() if macro.learns} == {
        "llama_cpp",
        "koboldcpp",
        "exllamav2",
        "exllamav3",
    }
    assert {"llama_cpp", "transformers", "vllm", "sglang", "mlx_lm", "koboldcpp"} <= {
        macro.name for macro in bregman.macros()
    }


def test_every_kind_of_parameter_occurs() -> None:
    assert {p.kind for stage in bregman.stages() for p in stage.parameters} == set(bregman.Kind)


def test_parameters_of_a_group_exclude_each_other() -> None:
    pairs = 0
    for stage in bregman.stages():
        for one in stage.parameters:
            for other in stage.parameters:
                if one.name < other.name and one.group and one.group == other.group and other.name != "generator":
                    pairs += 1
                    with pytest.raises(bregman.InvalidChainError):
                        bregman.Sampler(f"{stage.name}({one.name}={_value(one)}, {other.name}={_value(other)})")
    assert pairs >= 6


def test_parameters_are_described() -> None:
    stage = next(s for s in bregman.stages() if s.name == "bregman")
    by_name = {p.name: p for p in stage.parameters}
    assert by_name["mode"].choices == ("primal", "dual")
    assert by_name["mode"].default == "primal"
    assert by_name["floor"].min_excluded
    assert by_name["floor"].default is None
    assert by_name["k"].kind is bregman.Kind.COUNT
    assert by_name["k"].group == by_name["floor"].group == by_name["lambda"].group is not None
    assert by_name["mode"].group is None
    assert by_name["generator"].kind is bregman.Kind.NAME
    assert not stage.draws
