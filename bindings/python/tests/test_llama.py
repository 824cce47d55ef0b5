"""The stage inside a real llama.cpp, called through ctypes as llama-cpp-python does."""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, missing

import bregman
import bregman.llama_cpp
from bregman._library import ffi, lib

DRAWING = "temperature(0.8) | bregman(alpha=1.5, floor=0.005) | draw"


class TokenDataArray(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("selected", ctypes.c_int64),
        ("sorted", ctypes.c_bool),
    )


class ChainParams(ctypes.Structure):
    _fields_ = (("no_perf", ctypes.c_bool),)


class Shell(ctypes.Structure):
    """A struct llama_sampler."""

    _fields_ = (("iface", ctypes.c_void_p), ("ctx", ctypes.c_void_p))


Pointer = ctypes.POINTER(Shell)

#: Return type and parameters, as llama-cpp-python declares them.
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "llama_sampler_init": (Pointer, [ctypes.c_void_p, ctypes.c_void_p]),
    "llama_sampler_name": (ctypes.c_char_p, [Pointer]),
    "llama_sampler_accept": (None, [Pointer, ctypes.c_int32]),
    "llama_sampler_apply": (None, [Pointer, ctypes.POINTER(TokenDataArray)]),
    "llama_sampler_reset": (None, [Pointer]),
    "llama_sampler_clone": (Pointer, [Pointer]),
    "llama_sampler_free": (None, [Pointer]),
    "llama_sampler_chain_default_params": (ChainParams, []),
    "llama_sampler_chain_init": (Pointer, [ChainParams]),
    "llama_sampler_chain_add": (None, [Pointer, Pointer]),
    "llama_sampler_chain_n": (ctypes.c_int32, [Pointer]),
    "llama_sampler_init_top_k": (Pointer, [ctypes.c_int32]),
    "llama_sampler_init_temp": (Pointer, [ctypes.c_float]),
}


@pytest.fixture(scope="module")
def llama() -> ModuleType:
    """libllama's functions as a module, as in llama-cpp-python."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("the prebuilt llama.cpp is for x86-64 Linux")
    path = ROOT / "target/llama/lib/libllama.so"
    if not path.exists():
        missing("there is no prebuilt llama.cpp: ci/llama.sh fetches it")
    library, module = ctypes.CDLL(str(path)), ModuleType("llama_cpp")
    for name, (returns, parameters) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = returns, parameters
        setattr(module, name, function)
    return module


@pytest.fixture
def chain(llama: ModuleType) -> Iterator[Any]:
    made = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    yield made
    llama.llama_sampler_free(made)


def candidates(logits: np.ndarray) -> np.ndarray:
    array = np.zeros(len(logits), bregman.CANDIDATE)
    array["id"], array["logit"] = np.arange(len(logits)), logits
    return array


def apply(llama: ModuleType, sampler: Any, array: np.ndarray) -> TokenDataArray:
    """One call of a sampler, as llama.cpp makes it; `array` must outlive the result."""
    given = TokenDataArray(array.ctypes.data, len(array), -1, False)
    llama.llama_sampler_apply(sampler, ctypes.byref(given))
    return given


def draw(llama: ModuleType, sampler: Any, logits: np.ndarray) -> int:
    array = candidates(logits)
    given = apply(llama, sampler, array)
    assert 0 <= given.selected < given.size
    return int(array["id"][given.selected])


def cast(stage: int) -> Any:
    return ctypes.cast(stage, Pointer)


def test_a_stage_draws_the_samplers_tokens(llama: ModuleType, rng: np.random.Generator) -> None:
    rows = rng.normal(size=(50, 500)).astype(np.float32) * 3
    sampler = bregman.Sampler(DRAWING, 5)
    sampler.decode(rows[0])
    stage = cast(bregman.llama_cpp.attach(sampler, llama.llama_sampler_init))
    assert llama.llama_sampler_name(stage) == b"bregman"
    # The stage owns a copy of the sampler.
    assert [draw(llama, stage, row) for row in rows] == [sampler.decode(row).token for row in rows]
    clone = llama.llama_sampler_clone(stage)
    sampler.close()
    assert [draw(llama, stage, row) for row in rows] == [draw(llama, clone, row) for row in rows]
    llama.llama_sampler_reset(clone)
    fresh = bregman.Sampler(DRAWING, 5)
    assert [draw(llama, clone, row) for row in rows] == [fresh.decode(row).token for row in rows]
    llama.llama_sampler_free(stage)
    llama.llama_sampler_free(clone)


def test_a_stage_in_a_chain_of_llama_cpp_python(
    llama: ModuleType, chain: Any, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.setitem(sys.modules, "llama_cpp", llama)
    llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_top_k(20))
    llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_temp(0.7))
    stage = bregman.llama_cpp.add_to_chain(chain, bregman.Sampler("bregman(alpha=2, floor=0.01) | draw", 3))
    assert llama.llama_sampler_chain_n(chain) == 3
    ours = bregman.Sampler("top_k(20) | temperature(0.7) | bregman(alpha=2, floor=0.01) | draw", 3)
    rows = rng.normal(size=(100, 400)).astype(np.float32) * 3
    assert [draw(llama, chain, row) for row in rows] == [ours.decode(row).token for row in rows]
    bregman.llama_cpp.reseed(stage, 3, 50)
    assert [draw(llama, chain, row) for row in rows[50:]] == [
        token for row, token in zip(rows[50:], _from(ours, rows, 50))
    ]


def _from(sampler: bregman.Sampler, rows: np.ndarray, position: int) -> list[int]:
    sampler.reseed(3, position)
    return [sampler.decode(row).token for row in rows[position:]]


def test_a_stage_that_fails_leaves_the_candidates_and_a_message(llama: ModuleType) -> None:
    stage = bregman.llama_cpp.attach(bregman.Sampler(DRAWING), llama.llama_sampler_init)
    assert bregman.llama_cpp.last_error(stage) == ""
    array = candidates(np.array([1, np.nan, 2], np.float32))
    before = array.tobytes()
    given = apply(llama, cast(stage), array)
    assert array.tobytes() == before
    assert (given.size, given.selected) == (3, -1)
    assert "logit 1 is NaN" in bregman.llama_cpp.last_error(stage)
    assert bregman.llama_cpp.failures(stage) == 1
    bregman.llama_cpp.set_on_failure(stage, bregman.llama_cpp.OnFailure.FALLBACK)
    given = apply(llama, cast(stage), array)
    assert (given.size, given.selected, array["id"][0], array["p"][0]) == (1, 0, 2, 1)
    assert bregman.llama_cpp.failures(stage) == 2
    with pytest.raises(ValueError, match="7 is not a valid OnFailure"):
        bregman.llama_cpp.set_on_failure(stage, 7)  # type: ignore[arg-type]
    for seed, position in ((-1, 0), (2**64, 0), (0, -1)):
        with pytest.raises(ValueError, match="2\\*\\*64"):
            bregman.llama_cpp.reseed(stage, seed, position)
    llama.llama_sampler_accept(cast(stage), -1)
    assert "tokens[0]" in bregman.llama_cpp.last_error(stage)
    llama.llama_sampler_free(cast(stage))


def test_attach_accepts_functions_and_addresses(llama: ModuleType) -> None:
    address = ctypes.cast(llama.llama_sampler_init, ctypes.c_void_p).value
    assert address is not None
    for init in (llama.llama_sampler_init, address, ffi.cast("void *", address)):
        stage = bregman.llama_cpp.attach(bregman.Sampler(DRAWING), init)
        assert llama.llama_sampler_name(cast(stage)) == b"bregman"
        assert cast(stage).contents.iface == int(ffi.cast("uintptr_t", lib.bregman_llama_iface()))
        llama.llama_sampler_free(cast(stage))


def test_attach_refuses_wrong_arguments(llama: ModuleType) -> None:
    for null in (0, ffi.NULL, ctypes.c_void_p()):
        with pytest.raises(ValueError, match="NULL"):
            bregman.llama_cpp.attach(bregman.Sampler(DRAWING), null)
    for wrong in ("llama_sampler_init", b"llama_sampler_init", 1.5, None, object()):
        with pytest.raises(TypeError, match="address"):
            bregman.llama_cpp.attach(bregman.Sampler(DRAWING), wrong)
    closed = bregman.Sampler(DRAWING)
    closed.close()
    with pytest.raises(ValueError, match="closed"):
        bregman.llama_cpp.attach(closed, llama.llama_sampler_init)
    generator = bregman.Generator("mine", lambda x: x * x / 2, lambda x: x, lambda y: y)
    with pytest.raises(bregman.UnsupportedError, match="generators"):
        bregman.llama_cpp.attach(
            bregman.Sampler("bregman(generator=mine, lambda=0.1)", generators=[generator]), llama.llama_sampler_init
        )


def test_a_host_that_is_out_of_memory_raises() -> None:
    @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    def init(_iface: Any, _ctx: Any) -> None:
        return None

    sampler = bregman.Sampler(DRAWING)
    with pytest.raises(bregman.InternalError):
        bregman.llama_cpp.attach(sampler, init)
    assert sampler.decode(np.zeros(4, np.float32)).token >= 0


def test_stages_of_llama_cpp_itself_are_refused(llama: ModuleType) -> None:
    theirs = llama.llama_sampler_init_top_k(3)
    address = ctypes.cast(theirs, ctypes.c_void_p).value
    assert address is not None
    for call in (bregman.llama_cpp.last_error, lambda stage: bregman.llama_cpp.reseed(stage, 1)):
        with pytest.raises(ValueError, match="not a stage"):
            call(address)
        with pytest.raises(ValueError, match="not a stage"):
            call(0)
    llama.llama_sampler_free(theirs)
