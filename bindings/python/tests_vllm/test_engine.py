"""The processor inside a real engine of vLLM, compared with vLLM's own parameters."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from conftest import V2, VOCAB
from vllm import SamplingParams
from vllm.exceptions import VLLMValidationError

import bregman

#: Model Runner V2 is slow in Triton's interpreter.
TOKENS = 10 if V2 else 30
REQUESTS = 6 if V2 else 18

PROMPTS = [[1, 17, 300, 4], [1, 5, 6, 7, 5, 6], [1, 400], [1, 33, 34, 35, 36, 37, 38]]


def params(chain: str | None = None, *, tokens: int = TOKENS, **options: Any) -> SamplingParams:
    """Parameters of a request that runs to its length, unless `options` say otherwise."""
    if chain is not None:
        options = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, **options, "extra_args": {"bregman": chain}}
    return SamplingParams(max_tokens=tokens, **{"ignore_eos": True, **options})


def run(engine: Any, prompts: list[list[int]], parameters: Any) -> list[list[int]]:
    """Each request's output."""
    outputs = engine.generate([{"prompt_token_ids": p} for p in prompts], parameters, use_tqdm=False)
    return [list(output.outputs[0].token_ids) for output in outputs]


def preemptions(engine: Any) -> int:
    """How many requests the engine has preempted so far."""
    return sum(int(m.value) for m in engine.get_metrics() if m.name == "vllm:num_preemptions")


GREEDY: list[tuple[str, dict[str, Any]]] = [
    ("greedy", {}),
    ("bregman(alpha=1.5, floor=0.01)", {}),
    ("penalties(repeat=1.3, scope=all)", {"repetition_penalty": 1.3}),
    ("penalties(presence=1.5, scope=output)", {"presence_penalty": 1.5}),
    ("penalties(frequency=0.7, scope=output)", {"frequency_penalty": 0.7}),
    (
        "penalties(repeat=1.2, scope=all) | penalties(presence=0.4, frequency=0.3, scope=output)",
        {"repetition_penalty": 1.2, "presence_penalty": 0.4, "frequency_penalty": 0.3},
    ),
    (
        "vllm(temperature=0, repetition_penalty=1.1, presence_penalty=0.4, frequency_penalty=0.3)",
        {"repetition_penalty": 1.1, "presence_penalty": 0.4, "frequency_penalty": 0.3},
    ),
    ('logit_bias("5:4 300:-inf 17:2.5")'.replace('"', ""), {"logit_bias": {5: 4.0, 300: -100.0, 17: 2.5}}),
]


@pytest.mark.parametrize(("chain", "theirs"), GREEDY, ids=[chain for chain, _ in GREEDY])
def test_greedy_text_equals_that_of_vllms_own_parameters(engine: Any, chain: str, theirs: dict[str, Any]) -> None:
    own = run(engine, PROMPTS, params(temperature=0, **theirs))
    assert run(engine, PROMPTS, params(chain, temperature=0)) == own
    assert len({token for tokens in own for token in tokens}) > TOKENS // 2


DRAWN: list[tuple[str, dict[str, Any]]] = [
    ("draw", {}),
    ("temperature(0.7)", {"temperature": 0.7}),
    ("top_k(20)", {"top_k": 20}),
    ("temperature(1.3) | top_p(0.8)", {"temperature": 1.3, "top_p": 0.8}),
    ("temperature(0.9) | min_p(0.05)", {"temperature": 0.9, "min_p": 0.05}),
    ("temperature(0.8) | top_k(30) | top_p(0.9)", {"temperature": 0.8, "top_k": 30, "top_p": 0.9}),
    (
        "vllm(temperature=0.8, top_k=30, top_p=0.9, min_p=0.01, presence_penalty=0.5)",
        {"temperature": 0.8, "top_k": 30, "top_p": 0.9, "min_p": 0.01, "presence_penalty": 0.5},
    ),
]


if V2:  # its kernel for top-k and top-p fails in Triton's interpreter
    DRAWN = [(chain, theirs) for chain, theirs in DRAWN if not theirs.keys() & {"top_k", "top_p"}]


@pytest.mark.parametrize(("chain", "theirs"), DRAWN, ids=[chain for chain, _ in DRAWN])
def test_drawn_text_equals_that_of_vllms_own_parameters(engine: Any, chain: str, theirs: dict[str, Any]) -> None:
    # vLLM draws a request with a seed from a generator of its own: the same distribution, the same tokens.
    own = run(engine, PROMPTS, [params(seed=i, **{"temperature": 1.0, **theirs}) for i in range(4)])
    assert run(engine, PROMPTS, [params(chain, seed=i) for i in range(4)]) == own
    assert len({token for tokens in own for token in tokens}) > TOKENS // 2


@pytest.mark.parametrize("n", [1, TOKENS // 4, TOKENS // 2])
def test_min_tokens_ends_where_vllms_does(engine: Any, n: int) -> None:
    # Tokens that come early in the greedy text end it; without min_tokens, at once.
    stop = sorted({tokens[1] for tokens in run(engine, PROMPTS, params(temperature=0))})
    own = run(engine, PROMPTS, params(temperature=0, min_tokens=n, stop_token_ids=stop))
    chain = f"min_tokens({n}, stop={' '.join(map(str, stop))})"
    assert run(engine, PROMPTS, params(chain, temperature=0, stop_token_ids=stop)) == own
    assert {len(tokens) for tokens in own} != {TOKENS}
    assert all(len(tokens) >= n for tokens in own)


def test_bad_words_are_vllms(engine: Any) -> None:
    tokenizer = engine.get_tokenizer()
    plain = run(engine, PROMPTS, params(temperature=0))
    words = [tokenizer.decode(tokens[3:5]) for tokens in plain] + [tokenizer.decode(plain[0][7:8])]
    theirs = params(temperature=0, bad_words=words)
    theirs.update_from_tokenizer(tokenizer)
    sequences = "; ".join(" ".join(map(str, word)) for word in theirs.bad_words_token_ids or [])
    own = run(engine, PROMPTS, params(temperature=0, bad_words=words))
    assert own != plain
    assert run(engine, PROMPTS, params(f"bad_words({sequences}, scope=output)", temperature=0)) == own


CHAINS = [
    "penalties(presence=2, scope=output)",
    "penalties(frequency=0.5, scope=output) | temperature(0.9) | top_k(50)",
    "no_repeat_ngram(2, scope=output) | bregman(alpha=1.5, floor=0.01)",
    "xtc(probability=0.5, threshold=0.02) | top_k(40)",
    "temperature(0.8) | bregman(alpha=1.5, floor=0.02) | draw",
    "dry(multiplier=0.8, scope=output) | top_p(0.9)",
    "min_tokens(60, stop=5 6 7, scope=output) | temperature(0.8)",
    "greedy",
]


def requests(n: int, tokens: int) -> tuple[list[list[int]], list[SamplingParams]]:
    """Requests with all chains and, one in eight, none; each with a seed."""
    chains: list[str | None] = [*CHAINS, None]
    parameters = [params(chains[i % len(chains)], seed=i, tokens=tokens) for i in range(n)]
    return [[1, 10 + i, *PROMPTS[i % 4][1:]] for i in range(n)], parameters


def test_chains_in_one_batch_are_as_alone(engine: Any) -> None:
    prompts, parameters = requests(REQUESTS, TOKENS)
    alone = [run(engine, [prompt], [one])[0] for prompt, one in zip(prompts, parameters)]
    assert run(engine, prompts, parameters) == alone


def test_a_preempted_request_keeps_its_output(engine: Any) -> None:
    # More requests than the cache has room for: preempted requests are added again with the output that they have.
    prompts, parameters = requests(REQUESTS, 100)
    alone = [run(engine, [prompt], [one])[0] for prompt, one in zip(prompts, parameters)]
    before = preemptions(engine)
    together = run(engine, prompts, parameters)
    assert preemptions(engine) - before >= 3
    assert together == alone


def acts(engine: Any, parameters: SamplingParams | list[SamplingParams], n: int) -> list[list[bool]]:
    """Where xtc has taken away the most likely token of a row: its rank among the untouched logits says so."""
    outputs = engine.generate([{"prompt_token_ids": [1, 50 + i]} for i in range(n)], parameters, use_tqdm=False)
    return [
        [step[token].rank > 1 for step, token in zip(o.outputs[0].logprobs, o.outputs[0].token_ids)] for o in outputs
    ]


XTC = "xtc(probability=0.5, threshold=1e-9) | top_k(1)"


def coins(seed: int, n: int) -> list[bool]:
    """Where the coin of `XTC` lets it act, by Sampler.decode."""
    sampler = bregman.Sampler(f"{XTC} | greedy", seed)
    row = np.array([2, 1], np.float32)
    return [sampler.decode(row).token == 1 for _ in range(n)]


def test_xtc_acts_in_half_of_the_steps_by_the_seed(engine: Any) -> None:
    n, tokens = REQUESTS, 60
    seeded = [params(XTC, seed=i, tokens=tokens, logprobs=0) for i in range(n)]
    before = preemptions(engine)
    seen = acts(engine, seeded, n)
    print(f"\nxtc acts in {np.sum(seen)} of {n * tokens} steps, with {preemptions(engine) - before} preemptions")
    assert abs(np.mean(seen) - 0.5) < 5 * np.sqrt(0.25 / (n * tokens))
    assert seen == [coins(i, tokens) for i in range(n)]
    assert acts(engine, seeded, n) == seen


def test_requests_without_a_seed_have_different_ones(engine: Any) -> None:
    seen = acts(engine, params(XTC, tokens=40, logprobs=0), 6)
    assert len(set(map(tuple, seen))) == 6
    assert abs(np.mean(seen) - 0.5) < 5 * np.sqrt(0.25 / 240)
    # The children of one request have a seed each.
    output = engine.generate(
        {"prompt_token_ids": [1, 9]}, params(XTC, n=3, seed=5, tokens=20, logprobs=0), use_tqdm=False
    )
    children = [[step[token].rank > 1 for step, token in zip(o.logprobs, o.token_ids)] for o in output[0].outputs]
    assert len(set(map(tuple, children))) == 3


def test_placeholders_are_filled_in_before_a_row_is_decoded(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if V2 or not engine.llm_engine.vllm_config.scheduler_config.async_scheduling:
        pytest.skip("only the asynchronous scheduler of V1 writes placeholders")
    processor = import_module("bregman.vllm._v1").LogitsProcessor
    counts = {"update_state": 0, "apply": 0}

    def count(method: str) -> None:
        call = getattr(processor, method)

        def counted(self: Any, argument: Any) -> Any:
            counts[method] += sum(-1 in output for _, output in self._rows.values())
            return call(self, argument)

        monkeypatch.setattr(processor, method, counted)

    count("update_state")
    count("apply")
    run(engine, PROMPTS, params(CHAINS[0], temperature=0))
    print(f"\nplaceholders: {counts}")
    assert counts["update_state"] > TOKENS
    assert counts["apply"] == 0


@pytest.mark.parametrize(
    ("chain", "options", "says"),
    [
        ("tempratur(1)", {}, "did you mean `temperature`"),
        ("mirostat(5)", {}, "`mirostat` learns from the tokens"),
        ("temperature(0.8) | mirostat_v2(5)", {}, "`mirostat_v2` learns from the tokens"),
        ("adaptive_p(0.3)", {}, "`adaptive_p` learns from the tokens"),
        ("bregman(alpha=100, floor=0.1)", {}, "alpha"),
        ("draw", {"temperature": 0.7}, "temperature=0.7 cannot be combined"),
        ("draw", {"top_k": 5}, "top_k=5 cannot be combined"),
        ("draw", {"top_p": 0.5}, "top_p=0.5 cannot be combined"),
        ("draw", {"min_p": 0.5}, "min_p=0.5 cannot be combined"),
        ("draw", {"repetition_penalty": 1.5}, "repetition_penalty=1.5 cannot be combined"),
        ("draw", {"presence_penalty": 1.5}, "presence_penalty=1.5 cannot be combined"),
        ("draw", {"frequency_penalty": 1.5}, "frequency_penalty=1.5 cannot be combined"),
    ],
)
def test_a_request_that_is_refused_ends_alone(engine: Any, chain: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(VLLMValidationError, match=says):
        run(engine, PROMPTS[:1], params(chain, **options))
    assert len(run(engine, PROMPTS[:1], params("draw", tokens=3))[0]) == 3


def test_tokens_are_drawn_from_the_decoded_distribution(engine: Any) -> None:
    chain = "penalties(presence=0.5, scope=output) | temperature(0.8) | bregman(alpha=1.5, floor=0.02)"
    requested = params(chain, seed=3, tokens=2 * TOKENS, logprobs=VOCAB)
    output = engine.generate({"prompt_token_ids": PROMPTS[0]}, requested, use_tqdm=False)[0].outputs[0]
    sampler = bregman.Sampler(chain)
    sampler.accept(PROMPTS[0])
    supports = set()
    for step, token in zip(output.logprobs, output.token_ids):
        # vLLM's log-probabilities are those of the untouched logits, which are as good as the logits themselves.
        row = np.array([step[other].logprob for other in range(VOCAB)], np.float32)
        ids = sampler.distribution(row).ids
        assert token in ids
        supports.add(len(ids))
        sampler.accept(token)
    assert len(supports) > 2
