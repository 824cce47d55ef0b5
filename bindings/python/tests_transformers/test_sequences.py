"""Prompt and output in every way of generating, compared with transformers' own processors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from test_generate import OFF, VOCAB, model
from transformers import LlamaConfig, LlamaForCausalLM, LogitsProcessor, LogitsProcessorList

from bregman.transformers import BregmanLogitsProcessor

__all__ = ["model"]  # the fixture

#: It repeats itself, so that prompt lookup finds candidates.
REPEATS = [1, 7, 8, 9, 7, 8, 9, 7, 8]
N = 10


def prompts(n: int = N) -> list[torch.Tensor]:
    return [torch.tensor([[*REPEATS, 10 + i, 7, 8]]) for i in range(n)]


def ends(model: Any) -> list[int]:
    """Tokens that come early in greedy texts: they end most of them at once."""
    firsts = [model.generate(prompt, max_new_tokens=3, do_sample=False)[0, -3:] for prompt in prompts(4)]
    return sorted({int(token) for tokens in firsts for token in tokens})


def run(model: Any, prompt: torch.Tensor, processors: Any, **options: Any) -> list[int]:
    torch.manual_seed(3)
    arguments = {"do_sample": False, "max_new_tokens": 16, **options}
    out = model.generate(prompt, attention_mask=torch.ones_like(prompt), logits_processor=processors, **arguments)
    tokens: list[int] = out[0].tolist()
    return tokens


WAYS: list[dict[str, Any]] = [
    {},
    {"do_sample": True, **OFF},
    {"num_beams": 2},
    {"num_beams": 4},
    {"num_beams": 4, "do_sample": True, **OFF},
    {"prompt_lookup_num_tokens": 3},
    {"prompt_lookup_num_tokens": 5, "do_sample": True, **OFF},
]


@pytest.mark.parametrize("way", WAYS, ids=[str(list(way)) for way in WAYS])
@pytest.mark.parametrize("n", [1, 4, 9])
def test_min_tokens_equals_min_new_tokens(model: Any, way: dict[str, Any], n: int) -> None:
    stop = ends(model)
    processor = LogitsProcessorList([BregmanLogitsProcessor(f"min_tokens({n}, stop={' '.join(map(str, stop))})")])
    lengths = set()
    for prompt in prompts():
        # One instance for all prompts. Beams add up log-probabilities, which the chain normalises.
        ours = run(model, prompt, processor, eos_token_id=stop, pad_token_id=0, **way)
        theirs = run(
            model, prompt, None, eos_token_id=stop, pad_token_id=0, min_new_tokens=n, renormalize_logits=True, **way
        )
        assert ours == theirs
        lengths.add(len(ours) - prompt.shape[1])
    assert min(lengths) >= n
    assert len(lengths) > 1


@pytest.mark.parametrize("way", WAYS, ids=[str(list(way)) for way in WAYS])
@pytest.mark.parametrize(
    ("chain", "theirs"),
    [
        ("length_decay(start=3, factor=1.3, stop=STOP)", {"exponential_decay_length_penalty": (3, 1.3)}),
        ("forced_tokens(n=15, tokens=7)", {"forced_eos_token_id": 7}),
        (
            "sequence_bias(sequences=9; 7 8; 8 9 7, bias=8)",
            {"sequence_bias": [[[9], 8.0], [[7, 8], 8.0], [[8, 9, 7], 8.0]]},
        ),
    ],
    ids=["length_decay", "forced_tokens", "sequence_bias"],
)
def test_texts_equal_those_of_generates_own_options(
    model: Any, way: dict[str, Any], chain: str, theirs: dict[str, Any]
) -> None:
    stop = ends(model)
    ours = LogitsProcessorList([BregmanLogitsProcessor(chain.replace("STOP", " ".join(map(str, stop))))])
    texts, plain = [], []
    for prompt in prompts():
        # Without an end, texts are long enough for a token to be forced.
        options = {"eos_token_id": stop if "STOP" in chain else None, "pad_token_id": 0, **way}
        texts.append(run(model, prompt, ours, **options))
        assert texts[-1] == run(model, prompt, None, renormalize_logits=True, **theirs, **options)
        plain.append(run(model, prompt, None, **options))
    assert texts != plain  # it did something


class Presence(LogitsProcessor):
    """Subtracts a number from the scores of the tokens after the prompt, or of the last of them."""

    def __init__(self, prompt: int, penalty: float, last: int | None) -> None:
        self.prompt, self.penalty, self.last = prompt, penalty, last

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        output = input_ids[:, self.prompt :]
        output = output if self.last is None else output[:, -self.last :]
        seen = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, output, True)
        return torch.where(seen, scores - self.penalty, scores)


@pytest.mark.parametrize("way", WAYS, ids=[str(list(way)) for way in WAYS])
@pytest.mark.parametrize("last", [None, 3])
def test_penalties_see_the_output_alone(model: Any, way: dict[str, Any], last: int | None) -> None:
    window = "" if last is None else f", last_n={last}"
    ours = LogitsProcessorList([BregmanLogitsProcessor(f"penalties(presence=1.5, scope=output{window})")])
    for prompt in prompts():
        theirs = LogitsProcessorList([Presence(prompt.shape[1], 1.5, last)])
        assert run(model, prompt, ours, **way) == run(model, prompt, theirs, renormalize_logits=True, **way)


def test_an_assistant_model_shares_the_processor(model: Any) -> None:
    torch.manual_seed(2)
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=None,
        pad_token_id=0,
    )
    assistant = LlamaForCausalLM(config).eval()
    ours = LogitsProcessorList([BregmanLogitsProcessor("penalties(presence=1.5, scope=output)")])
    for prompt in prompts():
        theirs = LogitsProcessorList([Presence(prompt.shape[1], 1.5, None)])
        assert run(model, prompt, ours, assistant_model=assistant) == run(
            model, prompt, theirs, assistant_model=assistant
        )


@pytest.mark.parametrize("way", WAYS, ids=[str(list(way)) for way in WAYS])
def test_begin_starts_a_turn_of_any_length(model: Any, way: dict[str, Any]) -> None:
    stop = ends(model)
    chain = f"min_tokens(6, stop={' '.join(map(str, stop))}) | penalties(presence=1, scope=output)"
    chat = BregmanLogitsProcessor(chain)
    for prompt in prompts(8):
        for user in ([20, 21, 22], [30, 31], [40]):
            before = prompt.shape[1]
            # A turn of one token alone could be the last turn's next one, so it has to be announced.
            chat.begin()
            turn = run(model, prompt, LogitsProcessorList([chat]), eos_token_id=stop, pad_token_id=0, **way)
            alone = LogitsProcessorList([BregmanLogitsProcessor(chain)])
            assert turn == run(model, prompt, alone, eos_token_id=stop, pad_token_id=0, **way)
            assert len(turn) - before >= 6
            prompt = torch.tensor([[*turn, *user]])  # noqa: PLW2901


def test_a_turn_of_several_tokens_starts_by_itself(model: Any) -> None:
    stop = ends(model)
    chain = f"min_tokens(6, stop={' '.join(map(str, stop))})"
    chat = LogitsProcessorList([BregmanLogitsProcessor(chain)])
    for prompt in prompts(8):
        for user in ([20, 21, 22], [30, 31], [40, 41]):
            turn = run(model, prompt, chat, eos_token_id=stop, pad_token_id=0)
            assert len(turn) - prompt.shape[1] >= 6
            prompt = torch.tensor([[*turn, *user]])  # noqa: PLW2901


EOS = 2
#: Prompts of several lengths, padded on the left with the end token.
PADDED = torch.tensor([[EOS, EOS, EOS, 1, 5, 6], [EOS, 1, 7, 8, 9, 7], [1, 4, EOS, 4, 5, 5]])
MASK = torch.tensor([[0, 0, 0, 1, 1, 1], [0, 1, 1, 1, 1, 1], [1] * 6])
SEE_THE_PROMPT = [
    "penalties(repeat=1.5, scope=all)",
    "no_repeat_ngram(1)",
    f"min_tokens(8, stop={EOS}, scope=all)",
    "dry(multiplier=1, allowed_length=1, scope=all)",
]


def lookups(chain: str, ids: torch.Tensor, mask: torch.Tensor | None, pad: int | None) -> list[torch.Tensor]:
    """The scores of five steps, from the same rows each time."""
    rows = torch.randn(5, len(ids), 64, generator=torch.Generator().manual_seed(1))
    output = torch.randint(3, 9, (len(ids), 5), generator=torch.Generator().manual_seed(2))
    processor = BregmanLogitsProcessor(chain, attention_mask=mask, pad_token_id=pad)
    return [processor(torch.cat([ids, output[:, :n]], 1), rows[n]) for n in range(5)]


@pytest.mark.parametrize("chain", SEE_THE_PROMPT)
@pytest.mark.parametrize("way", ["mask", "pad"])
def test_left_padding_has_no_effect_on_scores(chain: str, way: str) -> None:
    padded = lookups(chain, PADDED, MASK if way == "mask" else None, EOS if way == "pad" else None)
    for row in range(len(PADDED)):
        # The same scores and output for a prompt of its own length: all rows, of which one has no padding now.
        ids = PADDED.clone()[:, 6 - int(MASK[row].sum()) :]
        alone = lookups(chain, ids, None, None)
        for a, b in zip(padded, alone):
            assert torch.equal(a[row], b[row])


@pytest.mark.parametrize("chain", SEE_THE_PROMPT[:2])
def test_left_padding_has_no_effect_on_text(model: Any, chain: str) -> None:
    options = {"do_sample": False, "max_new_tokens": 12, "eos_token_id": None, "pad_token_id": EOS}
    together = model.generate(
        PADDED,
        attention_mask=MASK,
        logits_processor=LogitsProcessorList([BregmanLogitsProcessor(chain, attention_mask=MASK)]),
        **options,
    )
    for row, mask in enumerate(MASK):
        prompt = PADDED[row][mask == 1][None]
        alone = run(model, prompt, LogitsProcessorList([BregmanLogitsProcessor(chain)]), max_new_tokens=12)
        assert together[row, 6:].tolist() == alone[prompt.shape[1] :]


@pytest.mark.parametrize("options", [{"num_beams": 3}, {"num_return_sequences": 3, "do_sample": True, **OFF}])
def test_a_mask_serves_all_rows_of_its_prompt(model: Any, options: dict[str, Any]) -> None:
    processor = BregmanLogitsProcessor("penalties(repeat=1.5, scope=all)", attention_mask=MASK)
    model.generate(
        PADDED,
        attention_mask=MASK,
        logits_processor=LogitsProcessorList([processor]),
        max_new_tokens=3,
        pad_token_id=EOS,
        **options,
    )
    assert [len(row._prompt) for row in processor._rows] == [3] * 3 + [5] * 3 + [6] * 3


def test_a_mask_holds_for_one_generation() -> None:
    processor = BregmanLogitsProcessor("no_repeat_ngram(1)", attention_mask=MASK)
    scores = torch.zeros(3, 64)
    processor(PADDED, scores)
    with pytest.raises(ValueError, match=r"that of the last generation: call begin\(attention_mask\)"):
        processor(PADDED + 1, scores)
    processor.begin(MASK)
    processor(PADDED, scores)
    processor(PADDED, scores)  # as prompt lookup does
    for ids in (PADDED[:, 1:], PADDED[:2]):
        processor.begin(MASK)
        with pytest.raises(ValueError, match=r"attention_mask has the shape \(3, 6\), the prompts have"):
            processor(ids, scores[: len(ids)])
    processor.begin()
    processor(PADDED[:, 1:], scores)


XTC = "xtc(probability=0.5, threshold=1e-9) | top_k(1)"
STEPS = 60


def acts(model: Any, processor: BregmanLogitsProcessor, rows: int = 8, **options: Any) -> np.ndarray:
    """Rows x steps: where xtc has taken away the most likely token."""
    out = model.generate(
        torch.tensor([[1, 10 + i] for i in range(rows)]),
        logits_processor=LogitsProcessorList([processor]),
        max_new_tokens=STEPS,
        output_logits=True,
        return_dict_in_generate=True,
        **{"do_sample": False, **options},
    )
    best = torch.stack([logits.argmax(-1) for logits in out.logits], 1)
    return (best != out.sequences[:, 2:]).numpy()


def test_xtc_acts_in_half_of_the_steps_by_the_seed(model: Any) -> None:
    processor = BregmanLogitsProcessor(XTC, seed=5)
    first, second = acts(model, processor), acts(model, processor)
    print(f"\nxtc acts in {first.sum() + second.sum()} of {2 * first.size} steps")
    for seen in (first, second):
        assert abs(seen.mean() - 0.5) < 5 * np.sqrt(0.25 / seen.size)
    # Every row of every generation has coins of its own.
    assert len({tuple(row) for row in (*first.tolist(), *second.tolist())}) == 16
    again = BregmanLogitsProcessor(XTC, seed=5)
    np.testing.assert_array_equal(acts(model, again), first)
    np.testing.assert_array_equal(acts(model, again), second)
    assert not np.array_equal(acts(model, BregmanLogitsProcessor(XTC, seed=6)), first)
    # torch's seed has no part in it.
    torch.manual_seed(99)
    np.testing.assert_array_equal(acts(model, BregmanLogitsProcessor(XTC, seed=5), do_sample=True, **OFF), first)


def test_xtc_acts_in_half_of_the_steps_of_prompt_lookup(model: Any) -> None:
    processor = BregmanLogitsProcessor(XTC)
    seen = np.concatenate([acts(model, processor, 1, prompt_lookup_num_tokens=3) for _ in range(8)])
    assert abs(seen.mean() - 0.5) < 5 * np.sqrt(0.25 / seen.size)
    assert len({tuple(row) for row in seen.tolist()}) == 8


def test_each_row_has_its_own_coins(model: Any) -> None:
    processor = BregmanLogitsProcessor(XTC.replace("top_k(1)", "top_k(5)"), seed=1)
    ids = torch.tensor([[1, 5]] * 4)
    rows = torch.randn(1, 64, generator=torch.Generator().manual_seed(1)).repeat(4, 1)
    acted = []
    for n in range(STEPS):
        processed = processor(torch.cat([ids, torch.full((4, n), 7)], 1), rows)
        acted.append((processed[:, int(rows[0].argmax())] == -torch.inf).tolist())
    assert len({tuple(row) for row in np.array(acted).T.tolist()}) == 4
