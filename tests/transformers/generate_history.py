"""Vectors from Hugging Face transformers' own processors of the tokens so far, for tests/definitions/transformers_history.rs.

Run by ci/transformers.sh, which pins the versions. The same versions give the same file. Nothing of transformers is copied
here: its classes are called.
"""

import datetime
import json
import random

import torch
import transformers
from transformers import LogitsProcessorList
from transformers.generation.logits_process import (
    MinLengthLogitsProcessor,
    MinNewTokensLengthLogitsProcessor,
    NoBadWordsLogitsProcessor,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
)

VOCAB = 24
CASES = 16


def tokens(rng, n):
    """Over few tokens, so that they repeat."""
    return [rng.randrange(6) if rng.random() < 0.8 else rng.randrange(VOCAB) for _ in range(n)]


def joined(sequences):
    return "; ".join(" ".join(map(str, s)) for s in sequences)


def repetition(rng, prompt, output):
    r = rng.choice([1.05, 1.3, 2.0, 0.7])
    return f"penalties(repeat={r}, scope=all)", RepetitionPenaltyLogitsProcessor(penalty=r)


def ngram(rng, prompt, output):
    n = rng.randrange(1, 5)
    return f"no_repeat_ngram({n})", NoRepeatNGramLogitsProcessor(n)


def bad_words(rng, prompt, output):
    """Among the sequences is one that the history does begin; none is longer than the history, which transformers skips."""
    context = prompt + output
    sequences = [[rng.randrange(1, VOCAB)]]
    for n in range(2, min(4, len(context)) + 1):
        sequences.append(context[-(n - 1) :] + [rng.randrange(VOCAB)])
        sequences.append(tokens(rng, n))
    sequences = [list(s) for s in dict.fromkeys(map(tuple, sequences))]
    return f"bad_words({joined(sequences)})", NoBadWordsLogitsProcessor(sequences, eos_token_id=None)


def min_length(rng, prompt, output):
    n = len(prompt) + len(output) + rng.choice([-1, 0, 1, 5])
    eos = sorted(rng.sample(range(VOCAB), 2))
    return (
        f"min_tokens({max(n, 0)}, stop={eos[0]} {eos[1]}, scope=all)",
        MinLengthLogitsProcessor(max(n, 0), eos),
    )


def min_new_tokens(rng, prompt, output):
    n = max(len(output) + rng.choice([-1, 0, 1, 5]), 0)
    eos = sorted(rng.sample(range(VOCAB), 2))
    return (
        f"min_tokens({n}, stop={eos[0]} {eos[1]}, scope=output)",
        MinNewTokensLengthLogitsProcessor(len(prompt), n, eos),
    )


def temperature(rng, prompt, output):
    t = rng.choice([0.5, 1.5])
    return f"temperature({t})", TemperatureLogitsWarper(t)


KINDS = [repetition, ngram, bad_words, min_length, min_new_tokens]


def case(rng, kinds):
    prompt, output = tokens(rng, rng.randrange(1, 12)), tokens(rng, rng.randrange(0, 20))
    made = [kind(rng, prompt, output) for kind in kinds]
    chain = " | ".join(text for text, _ in made).replace("min_tokens(", "min_tokens(n=")
    logits = torch.tensor([[rng.gauss(0.0, 3.0) for _ in range(VOCAB)]], dtype=torch.float32)
    scores = LogitsProcessorList([processor for _, processor in made])(torch.tensor([prompt + output]), logits.clone())
    law = torch.softmax(scores.double(), dim=-1)[0].tolist()
    if not all(p == p for p in law):
        return case(rng, kinds)  # every token is banned
    return {"chain": chain, "prompt": prompt, "output": output, "logits": logits[0].tolist(), "law": law}


def main():
    rng = random.Random(20261125)
    cases = []
    for kind in KINDS:
        cases += [case(rng, [kind]) for _ in range(CASES)]
    # As transformers orders them; and the same behind a temperature, which acts on scaled logits.
    cases += [case(rng, KINDS) for _ in range(CASES)]
    cases += [case(rng, [temperature, *KINDS]) for _ in range(CASES)]
    versions = {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]}
    head = {"made_by": "tests/transformers/generate_history.py", "date": str(datetime.date.today()), **versions}
    lines = ",\n".join(json.dumps(c) for c in cases)
    print(f"{json.dumps(head)[:-1]}, \"cases\": [\n{lines}\n]}}")


main()
