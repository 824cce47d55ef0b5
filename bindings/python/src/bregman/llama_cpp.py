"""A stage for llama.cpp: native code in the host's own chain, no Python for a token.

With llama-cpp-python:

    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
    sampler = bregman.Sampler("temperature(0.8) | top_k(floor=0.02) | draw", seed=1)
    stage = bregman.llama_cpp.add_to_chain(chain, sampler)

`attach` serves any other host that has a libllama loaded. A stage is a `struct llama_sampler *` as a number. It belongs
to the chain that it was added to, and is freed with it.
"""

from __future__ import annotations

import ctypes
from typing import Any

from bregman._arguments import uint64
from bregman._library import ffi, lib, text
from bregman._sampler import Sampler
from bregman.errors import InvalidArgumentError, UnsupportedError, error


def attach(sampler: Sampler, llama_sampler_init: Any) -> int:
    """Makes a copy of the sampler a stage of llama.cpp.

    The copy has all the sampler's state, and belongs to the stage; the sampler stays yours. llama.cpp has no way to
    report an error of a stage: one that fails leaves the candidates as they were, and `last_error` has the message. A
    chain that ends with a drawing stage selects, and stands last in llama.cpp's chain.

    Args:
        sampler: the chain and its state.
        llama_sampler_init: that function of the host's libllama (any since 2025-02): from ctypes or cffi, or its
            address.

    Returns:
        A `struct llama_sampler *`, for llama_sampler_chain_add or llama_sampler_free.

    Raises:
        UnsupportedError: the sampler has generators in Python, which the stage might outlive.
        InvalidArgumentError: the sampler is closed or in use, or the address is 0.
    """
    if sampler._generators:
        raise UnsupportedError("a sampler with generators of its own cannot be a stage: they are Python functions")
    address = _address(llama_sampler_init)
    out = ffi.new("void **")
    with sampler.clone() as copy:
        status = lib.bregman_llama_attach(address, copy._handle, out)
        if status:
            raise error(status, text(lib.bregman_sampler_error(copy._handle)))
        copy._give_up()
    return int(ffi.cast("uintptr_t", out[0]))


def add_to_chain(chain: Any, sampler: Sampler) -> int:
    """Adds a copy of the sampler to the end of a llama-cpp-python chain, to which it then belongs.

    Args:
        chain: what `llama_cpp.llama_sampler_chain_init` returned.
        sampler: the chain of stages and its state, see `attach`.

    Returns:
        The stage, for `last_error` and `reseed`, as long as the chain lives.
    """
    import llama_cpp  # noqa: PLC0415 (the rest works without it)

    stage = attach(sampler, llama_cpp.llama_sampler_init)
    add = llama_cpp.llama_sampler_chain_add
    add(chain, ctypes.cast(ctypes.c_void_p(stage), add.argtypes[1]))
    return stage


def last_error(stage: int) -> str:
    """The message of the stage's last call that failed; "" if none has. Not while llama.cpp uses the stage."""
    return text(lib.bregman_sampler_error(_sampler(stage)))


def reseed(stage: int, seed: int, position: int = 0) -> None:
    """Continues the stage with the random numbers of `seed` at `position`. Not while llama.cpp uses the stage."""
    status = lib.bregman_sampler_reseed(_sampler(stage), uint64(seed, "seed"), uint64(position, "position"))
    if status:
        raise error(status, last_error(stage))


def _sampler(stage: int) -> Any:
    sampler = lib.bregman_llama_sampler(ffi.cast("void *", stage))
    if sampler == ffi.NULL:
        raise InvalidArgumentError("this llama_sampler is no stage of bregman's")
    return sampler


def _address(function: Any) -> Any:
    # ctypes casts texts and bytes as well, whose addresses nobody may call.
    if isinstance(function, ctypes.c_void_p) or hasattr(function, "argtypes"):
        function = ctypes.cast(function, ctypes.c_void_p).value or 0
    elif not isinstance(function, (int, ffi.CData)):
        raise TypeError(f"llama_sampler_init is a {type(function).__name__}: it must be a function or its address")
    pointer = ffi.cast("void *", function)
    if pointer == ffi.NULL:
        raise InvalidArgumentError("llama_sampler_init is NULL")
    return pointer
