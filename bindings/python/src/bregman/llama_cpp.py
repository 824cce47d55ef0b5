"""A native stage for llama.cpp's sampler chain: no Python code runs for a token.

With llama-cpp-python:

    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
    sampler = bregman.Sampler("temperature(0.8) | top_k(floor=0.02) | draw", seed=1)
    stage = bregman.llama_cpp.add_to_chain(chain, sampler)

`attach` works with any other host that has loaded libllama. A stage is a `struct llama_sampler *` as an int. The chain
that it is added to owns it and frees it.
"""

from __future__ import annotations

import ctypes
import enum
from typing import Any

from bregman._arguments import uint64
from bregman._library import ffi, lib, text
from bregman._sampler import Sampler
from bregman.errors import InvalidArgumentError, UnsupportedError, error


class OnFailure(enum.IntEnum):
    """What a stage does when an apply fails, which llama.cpp gives it no way to report."""

    #: The candidates stay as they are; llama_sampler_sample then aborts the process if the stage was to select a token.
    ABORT = 0
    #: The most likely candidate that mask and bias allow is kept alone, and selected if the chain draws.
    FALLBACK = 1


def attach(sampler: Sampler, llama_sampler_init: Any) -> int:
    """Makes a stage of llama.cpp from a copy of the sampler.

    The copy has all of the sampler's state, and the stage owns it; `sampler` stays yours. llama.cpp has no way to
    report a stage's error: a stage that fails leaves the candidates as they were (but see `set_on_failure`), and
    `last_error` returns the message.
    A chain that ends with a drawing stage selects the token, so it must be the last stage of llama.cpp's chain.

    Args:
        sampler: the chain and its state.
        llama_sampler_init: the function of this name in the host's libllama (2025-02 or later), from ctypes or cffi, or
            its address.

    Returns:
        A `struct llama_sampler *`, for llama_sampler_chain_add or llama_sampler_free.

    Raises:
        UnsupportedError: the sampler has generators, which the stage could outlive.
        InvalidArgumentError: the sampler is closed or in use, or the address is 0.
        TypeError: `llama_sampler_init` is neither a function nor an address.
    """
    if sampler._generators:
        raise UnsupportedError("a sampler with generators cannot be a stage: they are Python functions")
    address = _address(llama_sampler_init)
    out = ffi.new("void **")
    with sampler.clone() as copy:
        status = lib.bregman_llama_attach(address, copy._handle, out)
        if status:
            raise error(status, text(lib.bregman_sampler_error(copy._handle)))
        copy._give_up()
    return int(ffi.cast("uintptr_t", out[0]))


def add_to_chain(chain: Any, sampler: Sampler) -> int:
    """Adds a copy of the sampler to the end of a llama-cpp-python chain, which then owns it.

    Args:
        chain: the result of `llama_cpp.llama_sampler_chain_init`.
        sampler: the stages and their state, see `attach`.

    Returns:
        The stage, for `last_error` and `reseed`; valid until the chain is freed.

    Raises as `attach` does.
    """
    import llama_cpp  # noqa: PLC0415 (the other functions work without it)

    stage = attach(sampler, llama_cpp.llama_sampler_init)
    add = llama_cpp.llama_sampler_chain_add
    add(chain, ctypes.cast(ctypes.c_void_p(stage), add.argtypes[1]))
    return stage


def last_error(stage: int) -> str:
    """The message of the stage's last call that failed, or "". Do not call it while llama.cpp uses the stage."""
    return text(lib.bregman_sampler_error(_sampler(stage)))


def set_on_failure(stage: int, on_failure: OnFailure) -> None:
    """Chooses what a failed apply of the stage, and of later clones of it, does; the default is `OnFailure.ABORT`.

    Do not call it while llama.cpp uses the stage.
    """
    _sampler(stage)
    status = lib.bregman_llama_set_on_failure(ffi.cast("void *", stage), OnFailure(on_failure), ffi.NULL, ffi.NULL)
    if status:
        raise error(status, last_error(stage))


def failures(stage: int) -> int:
    """How many applies of the stage and its clones have failed. May be called while llama.cpp uses the stage."""
    _sampler(stage)
    out = ffi.new("uint64_t *")
    status = lib.bregman_llama_failures(ffi.cast("void *", stage), out)
    if status:
        raise error(status, last_error(stage))
    return int(out[0])


def reseed(stage: int, seed: int, position: int = 0) -> None:
    """As `Sampler.reseed`, for a stage. Do not call it while llama.cpp uses the stage."""
    status = lib.bregman_sampler_reseed(_sampler(stage), uint64(seed, "seed"), uint64(position, "position"))
    if status:
        raise error(status, last_error(stage))


def _sampler(stage: int) -> Any:
    sampler = lib.bregman_llama_sampler(ffi.cast("void *", stage))
    if sampler == ffi.NULL:
        raise InvalidArgumentError("this llama_sampler is not a stage of bregman")
    return sampler


def _address(function: Any) -> Any:
    # ctypes would also cast str and bytes, whose addresses are not functions.
    if isinstance(function, ctypes.c_void_p) or hasattr(function, "argtypes"):
        function = ctypes.cast(function, ctypes.c_void_p).value or 0
    elif not isinstance(function, (int, ffi.CData)):
        raise TypeError(f"llama_sampler_init is a {type(function).__name__}: it must be a function or its address")
    pointer = ffi.cast("void *", function)
    if pointer == ffi.NULL:
        raise InvalidArgumentError("llama_sampler_init is NULL")
    return pointer
