"""bregman turns rows of LLM logits into tokens: Bregman decoders and the usual samplers.

    sampler = bregman.Sampler("temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw", seed=42)
    token = sampler.decode(logits).token

Logits are numpy arrays or torch tensors on the CPU, read in place. The same chain, seed, position, history and logits
give the same token, bit for bit, on every instruction set, with any number of threads, in any batch. Stages that learn
(`Stage.learns`) also depend on the tokens that they drew; `Sampler.save` keeps that, too.

For use in a host: `bregman.transformers`, `bregman.vllm`, `bregman.llama_cpp`.
"""

from bregman._answers import Answers
from bregman._arrays import pack_mask
from bregman._batch import RESULT, Reduced, decode_batch, distribution_batch, model_answers, reduce
from bregman._catalogue import Kind, Parameter, Stage, macros, stages
from bregman._generator import Generator
from bregman._library import ABI_VERSION, simd_level, version
from bregman._results import CANDIDATE, Applied, Distribution, Distributions, Draws, Logprobs, Result, Source, Want
from bregman._sampler import Sampler
from bregman._verify import Draft, Rule, Verified, verify
from bregman._watermark import WatermarkScore, watermark_score
from bregman.errors import (
    BregmanError,
    BufferTooSmallError,
    EmptySupportError,
    IncompleteError,
    InternalError,
    InvalidArgumentError,
    InvalidChainError,
    InvalidLogitsError,
    NoConvergenceError,
    OutOfMemoryError,
    Status,
    UnsupportedError,
)

__version__ = version()

__all__ = [
    "ABI_VERSION",
    "CANDIDATE",
    "RESULT",
    "Answers",
    "Applied",
    "BregmanError",
    "BufferTooSmallError",
    "Distribution",
    "Distributions",
    "Draft",
    "Draws",
    "EmptySupportError",
    "Generator",
    "IncompleteError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidChainError",
    "InvalidLogitsError",
    "Kind",
    "Logprobs",
    "NoConvergenceError",
    "OutOfMemoryError",
    "Parameter",
    "Reduced",
    "Result",
    "Rule",
    "Sampler",
    "Source",
    "Stage",
    "Status",
    "UnsupportedError",
    "Verified",
    "Want",
    "WatermarkScore",
    "decode_batch",
    "distribution_batch",
    "macros",
    "model_answers",
    "pack_mask",
    "reduce",
    "simd_level",
    "stages",
    "verify",
    "version",
    "watermark_score",
]
