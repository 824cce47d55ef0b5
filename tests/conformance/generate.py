"""Writes vectors.json: what the samplers of eight engines keep of a row, in plain double precision.

usage: python3 tests/conformance/generate.py > tests/conformance/vectors.json        (the standard library only)

Each engine is written down below by its own order, rules and defaults. No code of the library takes part. A comparison
that rounding could decide otherwise (nearer than CLOSE) is no case; one of exactly equal numbers is marked in `edge`.
"""

import json
import math
import sys

#: Relative distance below which single precision might decide otherwise.
CLOSE = 1e-4
#: Smaller probabilities underflow in single precision, sooner or later.
TINY = 1e-20
#: Relative distance of numbers that are equal but for the rounding of double precision.
EQUAL = 1e-12


class TooClose(Exception):
    """Rounding could decide the case."""


class Law:
    """The tokens that are left with their logits, and where a tie or an equality decided."""

    def __init__(self, logits):
        self.size = len(logits)
        self.l = {i: float(x) for i, x in enumerate(logits) if x != -math.inf}
        self.edge = set()

    def order(self):
        """Descending, equals by ascending id."""
        return sorted(self.l, key=lambda i: (-self.l[i], i))

    def p(self):
        top = max(self.l.values())
        w = {i: math.exp(x - top) for i, x in self.l.items()}
        total = math.fsum(w.values())
        return {i: x / total for i, x in w.items()}

    def entropy(self):
        return -math.fsum(p * math.log(p) for p in self.p().values())

    def keep(self, ids):
        ids = set(ids)
        self.l = {i: x for i, x in self.l.items() if i in ids}

    def compare(self, a, b):
        """-1, 0 or 1; an equality is an edge."""
        scale = max(abs(a), abs(b))
        if abs(a - b) <= EQUAL * scale:
            self.edge.add("threshold")
            return 0
        if abs(a - b) < CLOSE * scale:
            raise TooClose
        return -1 if a < b else 1

    def keep_first(self, n, ties="exact"):
        """The n first; what falls between equals is an edge."""
        order = self.order()
        n = max(1, min(n, len(order)))
        if n < len(order) and self.l[order[n - 1]] == self.l[order[n]]:
            self.edge.add("ties")
            if ties == "keep":
                last = self.l[order[n - 1]]
                n = sum(self.l[i] >= last for i in order)
        self.keep(order[:n])


# Steps that several engines have.


def temperature(law, t):
    if t <= 0:
        law.keep_first(1)
    else:
        law.l = {i: x / t for i, x in law.l.items()}


def top_k(law, k, ties="exact"):
    if 0 < k < len(law.l):
        law.keep_first(k, ties)


def top_p(law, p, rule="below", min_keep=1):
    """The last token: below, mass before it < p; reach, <= p; within, mass with it <= p; ties, of strictly larger < p."""
    law_p, order = law.p(), law.order()
    before, n = 0.0, 0
    for at, i in enumerate(order):
        if rule == "ties":
            before = math.fsum(law_p[j] for j in order if law.l[j] > law.l[i])
        measured = before + law_p[i] if rule == "within" else before
        side = law.compare(measured, p) if at else -1
        if at >= min_keep and not (side < 0 or side == 0 and rule in ("reach", "within")):
            break
        before += law_p[i]
        n += 1
    law.keep_first(n)


def min_p(law, m, min_keep=1):
    law_p, order = law.p(), law.order()
    largest = law_p[order[0]]
    n = sum(at < min_keep or law.compare(law_p[i], m * largest) >= 0 for at, i in enumerate(order))
    law.keep_first(n)


def top_a(law, a):
    law_p, order = law.p(), law.order()
    floor = a * law_p[order[0]] ** 2
    law.keep_first(sum(law.compare(law_p[i], floor) >= 0 for i in order))


def tail_free(law, z, rule):
    """The token with which the share is passed is dropped (before) or kept (after)."""
    order = law.order()
    if len(order) <= 2:
        return
    law_p = law.p()
    p = [law_p[i] for i in order]
    bends = [abs(p[i] - 2 * p[i + 1] + p[i + 2]) for i in range(len(p) - 2)]
    total = math.fsum(bends)
    if total <= 1e-6:
        bends, total = [1.0] * len(bends), float(len(bends))
    so_far, last = 0.0, None
    for at, bend in enumerate(bends):
        so_far += bend / total
        if law.compare(so_far, z) > 0 and (at >= 1 or rule == "after"):
            last = at
            break
    if last is None:
        return
    law.keep_first(last + (rule == "after"))


def typical(law, p, rule, min_keep=1):
    """reach: to the first token with mass >= p, and its equals; exceed: to the first with mass > p."""
    law_p, entropy = law.p(), law.entropy()
    score = {i: abs(-math.log(law_p[i]) - entropy) for i in law.l}
    order = sorted(law.l, key=lambda i: (round(score[i], 11), i))
    for a, b in zip(order, order[1:]):
        if 1e-11 < score[b] - score[a] < 1e-6:
            raise TooClose
    mass, n = 0.0, len(order)
    for at, i in enumerate(order):
        mass += law_p[i]
        side = law.compare(mass, p)
        if at + 1 >= min_keep and (side > 0 or side == 0 and rule == "reach"):
            n = at + 1
            break
    if n < len(order) and score[order[n]] - score[order[n - 1]] <= 1e-11:
        law.edge.add("ties")
        while rule == "reach" and n < len(order) and score[order[n]] - score[order[n - 1]] <= 1e-11:
            n += 1
    law.keep(order[:n])


def xtc(law, threshold, min_keep=1, spared=()):
    """With probability 1; spared tokens count, but stay."""
    law_p, order = law.p(), law.order()
    above = sum(law.compare(law_p[i], threshold) >= 0 for i in order)
    if above >= 2 and len(order) - (above - 1) >= min_keep:
        if above < len(order) and law.l[order[above - 1]] == law.l[order[above]] or law.l[order[above - 2]] == law.l[order[above - 1]]:
            law.edge.add("ties")
        law.keep(order[above - 1 :] + [i for i in order[: above - 1] if i in spared])


def top_n_sigma(law, n):
    values = list(law.l.values())
    mean = math.fsum(values) / len(values)
    sigma = math.sqrt(math.fsum((x - mean) ** 2 for x in values) / len(values))
    top = max(values)
    law.keep_first(sum(law.compare(top - x, n * sigma) <= 0 for x in values))


def dynamic_temperature(law, low, high, exponent):
    """The number of candidates is the row's, banned tokens included, unless some were dropped before."""
    n = law.size
    if n > 1:
        temperature(law, low + (high - low) * (law.entropy() / math.log(n)) ** exponent)


def smoothing(law, factor, curve=1.0):
    top = max(law.l.values())
    square, cube = (3 - curve) / 2 * factor, (curve - 1) / 2 * factor
    law.l = {i: top - square * (x - top) ** 2 + cube * (x - top) ** 3 for i, x in law.l.items()}


def adaptive_p(law, target):
    """The first draw: nothing has moved the target yet."""
    for i, p in law.p().items():
        d = abs(p - target) / 0.3
        law.l[i] = 5 - 10 * d * d / (1 + d)


def mirostat(law, tau, vocab):
    """The first draw: the limit is 2 tau."""
    law_p, order = law.p(), law.order()
    products = squares = 0.0
    for i, (a, b) in enumerate(zip(order[:100], order[1:100])):
        t = math.log((i + 2) / (i + 1))
        products += t * math.log(law_p[a] / law_p[b])
        squares += t * t
    s = products / squares
    e = s - 1
    k = (e * 2 ** (2 * tau) / (1 - vocab**-e)) ** (1 / s)
    if abs(k - round(k)) < CLOSE * k:
        raise TooClose
    law.keep_first(int(k))


def mirostat_v2(law, tau):
    law_p = law.p()
    law.keep_first(sum(law.compare(-math.log2(law_p[i]), 2 * tau) <= 0 for i in law.l))


def penalties(law, tokens, repeat=1.0, frequency=0.0, presence=0.0):
    for i in set(tokens) & set(law.l):
        x = law.l[i]
        x = x / repeat if x > 0 else x * repeat
        law.l[i] = x - tokens.count(i) * frequency - presence


def dry(law, tokens, multiplier, base, allowed):
    """For each token the longest repetition that it would continue; no breakers."""
    longest = {}
    for at in range(1, len(tokens)):
        n = 0
        while n < at and tokens[at - 1 - n] == tokens[len(tokens) - 1 - n]:
            n += 1
        if n >= allowed:
            longest[tokens[at]] = max(n, longest.get(tokens[at], 0))
    for i, n in longest.items():
        if i in law.l:
            law.l[i] -= multiplier * base ** (n - allowed)


def add(law, biases):
    for i, bias in biases.items():
        if int(i) in law.l:
            law.l[int(i)] += bias


def ban(law, ids):
    law.keep(set(law.l) - set(ids))


def ends(tokens, sequence):
    """Whether the tokens end with all but the last of a sequence."""
    head = sequence[:-1]
    return len(tokens) >= len(head) and tokens[len(tokens) - len(head) :] == head


# The engines. Each takes the row, the tokens of prompt and output, and its own parameters.


def last(tokens, n):
    return tokens[-n:] if n > 0 else []


def llama_cpp(law, prompt, output, temperature=0.8, top_k=40, top_p=0.95, min_p=0.05, min_keep=0, typical_p=1.0,
              top_n_sigma=-1.0, xtc_probability=0.0, xtc_threshold=0.1, repeat_penalty=1.0, frequency_penalty=0.0,
              presence_penalty=0.0, repeat_last_n=64, dry_multiplier=0.0, dry_base=1.75, dry_allowed_length=2,
              dry_penalty_last_n=64, dynatemp_range=0.0, dynatemp_exponent=1.0, mirostat=0, mirostat_tau=5.0,
              adaptive_target=-1.0, logit_bias=()):
    steps, tokens, least = globals(), prompt + output, max(1, min_keep)
    add(law, dict(logit_bias))
    if mirostat:
        steps["temperature"](law, temperature)
        return steps["mirostat"](law, mirostat_tau, law.size) if mirostat == 1 else mirostat_v2(law, mirostat_tau)
    penalties(law, last(tokens, repeat_last_n), repeat_penalty, frequency_penalty, presence_penalty)
    if dry_multiplier > 0:
        dry(law, last(tokens, dry_penalty_last_n), dry_multiplier, dry_base, dry_allowed_length)
    if top_n_sigma > 0:
        steps["top_n_sigma"](law, top_n_sigma)
    steps["top_k"](law, top_k)
    if typical_p < 1:
        typical(law, typical_p, "exceed", least)
    if top_p < 1:
        steps["top_p"](law, top_p, min_keep=least)
    if min_p > 0:
        steps["min_p"](law, min_p, least)
    if xtc_probability == 1 and xtc_threshold <= 0.5:
        xtc(law, xtc_threshold, least)
    if dynatemp_range > 0:
        dynamic_temperature(law, max(0.0, temperature - dynatemp_range), temperature + dynatemp_range, dynatemp_exponent)
    else:
        steps["temperature"](law, temperature)
    if adaptive_target >= 0:
        adaptive_p(law, adaptive_target)


def transformers(law, prompt, output, temperature=1.0, top_k=50, top_p=1.0, min_p=0.0, typical_p=1.0, epsilon_cutoff=0.0,
                 eta_cutoff=0.0, top_h=None, do_sample=True, repetition_penalty=1.0, no_repeat_ngram_size=0, bad_words_ids=(),
                 min_length=0, min_new_tokens=0, eos_token_id=(), min_tokens_to_keep=1):
    steps, tokens, least = globals(), prompt + output, min_tokens_to_keep
    penalties(law, tokens, repetition_penalty)
    if no_repeat_ngram_size > 0:
        n = no_repeat_ngram_size
        seen = [tokens[at : at + n] for at in range(len(tokens) - n + 1)]
        ban(law, [gram[-1] for gram in seen if ends(tokens, gram)])
    ban(law, [s[-1] for s in bad_words_ids if s not in [[i] for i in eos_token_id] and ends(tokens, s)])
    if len(tokens) < min_length or len(output) < min_new_tokens:
        ban(law, eos_token_id)
    if not do_sample:
        return law.keep_first(1)
    steps["temperature"](law, temperature)
    if top_h is not None:
        order, law_p = law.order(), law.p()
        head = [law_p[i] for i in order[:100]]
        terms = [-p / math.fsum(head) * math.log(p / math.fsum(head)) for p in head]
        target, so_far, n = top_h * math.fsum(terms), 0.0, 0
        for at, term in enumerate(terms):
            so_far += term
            if at and law.compare(so_far, target) > 0:
                break
            n = at + 1
        law.keep_first(n)
    steps["top_k"](law, max(top_k, least) if top_k else 0, "keep")
    if top_p < 1:
        steps["top_p"](law, top_p, min_keep=least)
    if min_p > 0:
        steps["min_p"](law, min_p, least)
    if typical_p < 1:
        typical(law, typical_p, "reach", least)
    for cutoff in [epsilon_cutoff, eta_cutoff and min(eta_cutoff, math.sqrt(eta_cutoff) * math.exp(-law.entropy()))]:
        if cutoff > 0:
            law_p = law.p()
            n = sum(law.compare(p, cutoff) >= 0 for p in law_p.values())
            law.keep_first(max(n, least), "keep")


def vllm(law, prompt, output, temperature=1.0, top_p=1.0, top_k=0, min_p=0.0, presence_penalty=0.0, frequency_penalty=0.0,
         repetition_penalty=1.0, min_tokens=0, stop_token_ids=(), allowed_token_ids=None, bad_words=(), logit_bias=()):
    steps = globals()
    if allowed_token_ids is not None:
        law.keep(allowed_token_ids)
    ban(law, [s[-1] for s in bad_words if ends(output, s)])
    if len(output) < min_tokens:
        ban(law, stop_token_ids)
    add(law, dict(logit_bias))
    penalties(law, prompt + output, repetition_penalty)
    penalties(law, output, 1.0, frequency_penalty, presence_penalty)
    if temperature == 0:
        return law.keep_first(1)
    steps["temperature"](law, max(temperature, 0.01))
    if min_p > 0:
        steps["min_p"](law, min_p)
    steps["top_k"](law, top_k, "keep")
    if top_p < 1:
        steps["top_p"](law, top_p)


def sglang(law, prompt, output, temperature=1.0, top_p=1.0, top_k=-1, min_p=0.0, frequency_penalty=0.0, presence_penalty=0.0,
           repetition_penalty=1.0, min_new_tokens=0, stop_token_ids=(), logit_bias=(), sampling_backend="pytorch"):
    steps = globals()
    if len(output) < min_new_tokens:
        ban(law, stop_token_ids)
    penalties(law, output, 1.0, frequency_penalty, presence_penalty)
    penalties(law, output, repetition_penalty)
    add(law, dict(logit_bias))
    if temperature < 1e-6 or top_k == 1:
        return law.keep_first(1)
    steps["temperature"](law, temperature)
    rule, ties = ("reach", "exact") if sampling_backend == "pytorch" else ("ties", "keep")
    if sampling_backend == "flashinfer" and min_p > 0:
        steps["top_k"](law, top_k, ties)
        if top_p < 1:
            steps["top_p"](law, top_p, rule)
    else:
        # Side by side: both measure the whole row, and a token stays that both keep.
        by_mass, by_rank = Law([]), Law([])
        by_mass.l, by_rank.l = dict(law.l), dict(law.l)
        if top_p < 1:
            steps["top_p"](by_mass, top_p, rule)
        steps["top_k"](by_rank, top_k, ties)
        law.edge |= by_mass.edge | by_rank.edge
        law.keep(set(by_mass.l) & set(by_rank.l))
    if min_p > 0:
        steps["min_p"](law, min_p)


def mlx_lm(law, prompt, output, temp=0.0, top_p=0.0, min_p=0.0, min_tokens_to_keep=1, top_k=0, xtc_probability=0.0,
           xtc_threshold=0.1, xtc_special_tokens=(), repetition_penalty=0.0, repetition_context_size=20, presence_penalty=0.0,
           presence_context_size=20, frequency_penalty=0.0, frequency_context_size=20, logit_bias=()):
    steps, tokens = globals(), prompt + output
    add(law, dict(logit_bias))
    penalties(law, last(tokens, repetition_context_size), repetition_penalty or 1.0)
    penalties(law, last(tokens, presence_context_size), presence=presence_penalty)
    penalties(law, last(tokens, frequency_context_size), frequency=frequency_penalty)
    if temp == 0:
        return law.keep_first(1)
    if 0 < top_p < 1:
        # The largest set of strictly larger tokens with less mass, and all equals of the last.
        steps["top_p"](law, top_p, "ties")
    if min_p > 0:
        steps["min_p"](law, min_p, min_tokens_to_keep)
    if xtc_probability == 1:
        edge = set(law.edge)
        xtc(law, xtc_threshold, spared=xtc_special_tokens)
        if law.edge != edge:
            # There tokens exactly at the threshold do not count, and equals of the last stay.
            raise TooClose
    steps["top_k"](law, top_k)
    steps["temperature"](law, temp)


def koboldcpp(law, prompt, output, temperature=0.75, top_k=100, top_a=0.0, top_p=0.92, min_p=0.0, typical=1.0, tfs=1.0,
              nsigma=0.0, rep_pen=1.0, rep_pen_range=320, presence_penalty=0.0, dry_multiplier=0.0, dry_base=1.75,
              dry_allowed_length=2, dry_penalty_last_n=320, xtc_threshold=0.2, xtc_probability=0.0, dynatemp_range=0.0,
              dynatemp_exponent=1.0, smoothing_factor=0.0, smoothing_curve=1.0, mirostat=0, mirostat_tau=5.0, n_vocab=None,
              adaptive_target=-1.0, sampler_order=(6, 0, 1, 3, 4, 2, 5), logit_bias=()):
    steps, tokens = globals(), prompt + output
    add(law, dict(logit_bias))
    if dry_multiplier > 0:
        window = last(tokens, dry_penalty_last_n) if dry_penalty_last_n > 0 else tokens
        dry(law, window, dry_multiplier, dry_base, dry_allowed_length)
    steps["top_k"](law, 3000)
    if adaptive_target > 0 and min_p <= 0 and top_p >= 1:
        min_p = 0.002

    def rep_pen_step():
        penalties(law, last(tokens, rep_pen_range), rep_pen, presence=presence_penalty)

    def temperature_step():
        if dynatemp_range > 0 and not mirostat:
            low, high = max(0.0, temperature - dynatemp_range), temperature + dynatemp_range
            dynamic_temperature(law, low, high, dynatemp_exponent)
        else:
            steps["temperature"](law, temperature)
        if smoothing_factor > 0:
            smoothing(law, smoothing_factor, smoothing_curve)

    if mirostat:
        rep_pen_step()
        temperature_step()
        return steps["mirostat"](law, mirostat_tau, n_vocab) if mirostat == 1 else mirostat_v2(law, mirostat_tau)
    for step in sampler_order:
        if step == 0:
            steps["top_k"](law, top_k)
            law.size = min(law.size, top_k) if top_k > 0 else law.size
        elif step == 1 and top_a > 0:
            steps["top_a"](law, top_a)
            law.size = len(law.l)
        elif step == 2:
            if top_p < 1:
                steps["top_p"](law, top_p)
                law.size = len(law.l)
            if min_p > 0:
                steps["min_p"](law, min_p)
                law.size = len(law.l)
        elif step == 3 and tfs < 1:
            tail_free(law, tfs, "before")
            law.size = len(law.l)
        elif step == 4 and typical < 1:
            steps["typical"](law, typical, "exceed")
            law.size = len(law.l)
        elif step == 5:
            temperature_step()
            if nsigma > 0:
                top_n_sigma(law, nsigma)
        elif step == 6:
            rep_pen_step()
    if xtc_probability == 1 and xtc_threshold <= 0.5:
        xtc(law, xtc_threshold)
    if adaptive_target > 0:
        adaptive_p(law, adaptive_target)


def exllamav2(law, prompt, output, temperature=0.8, top_k=50, top_p=0.8, top_a=0.0, min_p=0.0, tfs=0.0,
              token_repetition_penalty=1.025, token_repetition_range=-1, token_frequency_penalty=0.0,
              token_presence_penalty=0.0, smoothing_factor=0.0, min_temp=0.0, max_temp=0.0, temp_exponent=1.0,
              temperature_last=False, mirostat=False, mirostat_tau=1.5, token_bias=()):
    steps, tokens = globals(), prompt + output
    window = tokens if token_repetition_range < 0 else last(tokens, token_repetition_range)
    penalties(law, window, token_repetition_penalty, token_frequency_penalty, token_presence_penalty)
    add(law, dict(token_bias))
    first = 1.0 if temperature_last else temperature
    if first < 0.01:
        return law.keep_first(1)
    if smoothing_factor > 0:
        # exp(-(l - max)^2 factor / T)
        top = max(law.l.values())
        law.l = {i: -((x - top) ** 2) * smoothing_factor / first for i, x in law.l.items()}
    else:
        steps["temperature"](law, first)
    steps["top_k"](law, top_k)
    if 0 < top_p < 1:
        steps["top_p"](law, top_p, "within")
    if top_a > 0:
        steps["top_a"](law, top_a)
    if 0 < min_p < 1:
        steps["min_p"](law, min_p)
    if 0 < tfs < 1:
        tail_free(law, tfs, "after")
    if mirostat:
        return mirostat_v2(law, mirostat_tau)
    if max_temp > min_temp:
        n = len(law.l)
        if n > 1:
            share = law.entropy() / math.log(n)
            steps["temperature"](law, min_temp + (max_temp - min_temp) * share**temp_exponent)
    elif temperature_last:
        steps["temperature"](law, temperature)


def exllamav3(law, prompt, output, temperature=1.0, min_p=0.0, top_k=0, top_p=1.0, temp_last=False, rep_p=1.0, freq_p=0.0,
              pres_p=0.0, rep_sustain_range=10**8, adaptive_target=1.0, logit_bias=()):
    steps, tokens = globals(), prompt + output
    add(law, dict(logit_bias))
    # The kernels look at one token less than the range says.
    window = tokens[max(0, len(tokens) - rep_sustain_range + 1) :] if rep_sustain_range > 0 else []
    penalties(law, window, rep_p)
    penalties(law, window, 1.0, freq_p, pres_p)
    if temperature == 0 or top_k == 1:
        return law.keep_first(1)
    if not temp_last:
        steps["temperature"](law, temperature)
    if min_p > 0:
        steps["min_p"](law, min_p)
    steps["top_k"](law, top_k, "keep")
    if top_p < 1:
        steps["top_p"](law, top_p, "within")
    if temp_last:
        steps["temperature"](law, temperature)
    if adaptive_target != 1:
        adaptive_p(law, adaptive_target)


# Rows and parameters.


def noise():
    """SplitMix64, from 0 to below 1."""
    state = 0
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        yield ((z ^ (z >> 31)) >> 11) / 2**53


INF = math.inf
RANDOM = noise()


def row(n, spread, low=0.0):
    """Multiples of 1/64, which single precision, half precision and decimals have exactly."""
    return [round((low + spread * next(RANDOM)) * 64) / 64 for _ in range(n)]


ROWS = {
    "spread": row(24, 9, -4),
    "narrow": row(16, 2, -1),
    "negative": row(20, 7, -12),
    "peaked": row(11, 3) + [9.25] + row(10, 3),
    "wide": row(40, 30, -20),
    "tied": [1.0, 2.0, 2.0, -1.0, 1.0, 3.0, 0.0, 2.0, 3.0, -1.0, 0.0, 1.0],
    "banned": [x if i % 3 else -INF for i, x in enumerate(row(18, 6, -3))],
    "flat": [0.0] * 8,
    "half_banned": [0.5, -INF, 0.5, -INF, -INF, 0.5, 0.5, -INF],
    "close": [0.0, 0.015625, 0.03125, -0.015625, 0.0625],
    "two": [0.25, 0.25],
    "one": [-3.5],
    "one_left": [-INF, -INF, 2.0, -INF],
}
GENERAL = ["spread", "narrow", "negative", "peaked", "wide", "banned"]
EDGES = ["tied", "flat", "half_banned", "close", "two", "one", "one_left"]
HISTORY = {"prompt": [3, 5, 2, 3, 7, 1, 2, 3, 5], "output": [4, 6, 2, 3]}

#: Parameters by engine, for the general rows; then those for rows with ties and thresholds.
PARAMETERS = {
    "llama_cpp": (
        [{}, {"temperature": 0.5, "top_k": 5}, {"top_p": 0.5, "min_p": 0}, {"top_k": 0, "top_p": 1, "min_p": 0.2},
         {"typical_p": 0.6}, {"top_n_sigma": 1.2}, {"xtc_probability": 1, "xtc_threshold": 0.1}, {"temperature": 0},
         {"temperature": -1}, {"dynatemp_range": 0.3, "top_k": 0, "top_p": 1, "min_p": 0}, {"mirostat": 2, "mirostat_tau": 1},
         {"mirostat": 1, "mirostat_tau": 1.5}, {"adaptive_target": 0.4}, {"min_keep": 6, "top_p": 0.2, "min_p": 0.5},
         {"logit_bias": {"0": 2.5, "3": -INF}, "top_k": 4}],
        [{"top_k": 3, "top_p": 1, "min_p": 0}, {"top_k": 0, "top_p": 0.5, "min_p": 0}, {"top_k": 0, "top_p": 0, "min_p": 0},
         {"top_k": 0, "top_p": 1, "min_p": 1}, {"temperature": 0}, {"top_n_sigma": 1, "top_k": 0, "top_p": 1, "min_p": 0},
         {"top_k": 0, "top_p": 1, "min_p": 0, "typical_p": 0.5}]),
    "transformers": (
        [{}, {"temperature": 0.7, "top_k": 6}, {"top_k": 0, "top_p": 0.8}, {"top_k": 0, "min_p": 0.1},
         {"top_k": 0, "typical_p": 0.7}, {"top_k": 0, "epsilon_cutoff": 0.03}, {"top_k": 0, "eta_cutoff": 0.02},
         {"top_h": 0.5, "top_k": 0}, {"do_sample": False}, {"top_k": 8, "top_p": 0.9, "min_p": 0.05, "temperature": 1.5},
         {"min_tokens_to_keep": 3, "top_k": 2, "top_p": 0.3}],
        [{"top_k": 3}, {"top_k": 0, "top_p": 0.5}, {"top_k": 0, "min_p": 1}, {"top_k": 0, "typical_p": 0.5},
         {"top_k": 0, "epsilon_cutoff": 0.125}, {"do_sample": False}]),
    "vllm": (
        [{}, {"temperature": 0.6, "top_k": 5}, {"top_p": 0.7}, {"min_p": 0.1}, {"temperature": 0},
         {"temperature": 1.4, "min_p": 0.05, "top_k": 9, "top_p": 0.8}, {"logit_bias": {"1": 3, "2": -INF}, "top_k": 4},
         {"allowed_token_ids": [1, 2, 5, 8]}, {"top_k": -1, "top_p": 0.3}],
        [{"top_k": 3}, {"top_p": 0.5}, {"min_p": 1}, {"temperature": 0}, {"temperature": 0.001, "top_k": 2}]),
    "sglang": (
        [{}, {"temperature": 0.6, "top_k": 5}, {"top_p": 0.7}, {"min_p": 0.1}, {"temperature": 0}, {"top_k": 1},
         {"top_k": 4, "top_p": 0.8}, {"temperature": 1.4, "min_p": 0.05, "top_k": 9, "top_p": 0.8},
         {"sampling_backend": "flashinfer", "top_k": 4, "top_p": 0.8},
         {"sampling_backend": "flashinfer", "top_k": 4, "top_p": 0.8, "min_p": 0.05},
         {"logit_bias": {"1": 3, "2": -INF}, "top_k": 4}],
        [{"top_k": 3}, {"top_p": 0.5}, {"top_p": 0.25}, {"min_p": 1}, {"temperature": 0}, {"top_k": 3, "top_p": 0.5},
         {"sampling_backend": "flashinfer", "top_k": 3}, {"sampling_backend": "flashinfer", "top_p": 0.5}]),
    "mlx_lm": (
        [{}, {"temp": 0.7}, {"temp": 0.7, "top_p": 0.8}, {"temp": 1, "min_p": 0.1, "min_tokens_to_keep": 3},
         {"temp": 1.3, "top_k": 5}, {"temp": 0.8, "top_p": 0.9, "min_p": 0.02, "top_k": 6},
         {"temp": 1, "xtc_probability": 1, "xtc_threshold": 0.05},
         {"temp": 1, "xtc_probability": 1, "xtc_threshold": 0.05, "xtc_special_tokens": [0, 3, 7, 9, 11, 14, 19, 22]}, {"temp": 1, "logit_bias": {"2": 2, "4": -1.5}}],
        [{"temp": 1, "top_k": 1}, {"temp": 1, "top_p": 0.5}, {"temp": 1, "min_p": 1}, {}]),
    "koboldcpp": (
        [{}, {"temperature": 0.5, "top_k": 5}, {"top_k": 0, "top_p": 1, "top_a": 0.3}, {"top_k": 0, "top_p": 1, "tfs": 0.9},
         {"top_k": 0, "top_p": 1, "typical": 0.7}, {"top_k": 0, "top_p": 1, "min_p": 0.1}, {"top_k": 0, "top_p": 1, "nsigma": 1},
         {"smoothing_factor": 0.3, "smoothing_curve": 1.5}, {"dynatemp_range": 0.4, "top_k": 8},
         {"xtc_probability": 1, "xtc_threshold": 0.1}, {"temperature": 0}, {"mirostat": 2, "mirostat_tau": 1},
         {"mirostat": 1, "mirostat_tau": 1.5, "n_vocab": 64}, {"adaptive_target": 0.4, "top_p": 1},
         {"logit_bias": {"1": 2, "2": -INF}, "top_k": 3}, {"sampler_order": [5, 2, 0], "top_k": 4}, {"sampler_order": [5, 4, 3], "typical": 0.8, "tfs": 0.95, "nsigma": 1.5}],
        [{"top_k": 3, "top_p": 1}, {"top_k": 0, "top_p": 0.5}, {"top_k": 0, "top_p": 1, "min_p": 1}, {"temperature": 0},
         {"top_k": 0, "top_p": 1, "top_a": 1}]),
    "exllamav2": (
        [{}, {"temperature": 0.5, "top_k": 5, "top_p": 0}, {"top_k": 0, "top_p": 0.9}, {"top_k": 0, "top_p": 0, "min_p": 0.1},
         {"top_k": 0, "top_p": 0, "top_a": 0.3}, {"top_k": 0, "top_p": 0, "tfs": 0.9}, {"temperature": 0.005},
         {"temperature_last": True, "temperature": 1.5}, {"smoothing_factor": 0.4, "top_p": 0},
         {"min_temp": 0.5, "max_temp": 1.5, "temp_exponent": 2}, {"mirostat": True, "top_k": 0, "top_p": 0}, {"mirostat": True, "mirostat_tau": 1},
         {"token_bias": {"1": 2}, "top_k": 3}],
        [{"top_k": 3, "top_p": 0}, {"top_k": 0, "top_p": 0.5}, {"temperature": 0}, {"top_k": 0, "top_p": 0, "top_a": 1}]),
    "exllamav3": (
        [{}, {"temperature": 0.8, "min_p": 0.08}, {"top_k": 5}, {"top_p": 0.9}, {"temperature": 0}, {"top_k": 1},
         {"temperature": 1.5, "min_p": 0.05, "top_k": 8, "top_p": 0.8}, {"temperature": 1.5, "min_p": 0.2, "temp_last": True},
         {"adaptive_target": 0.4, "min_p": 0.02}, {"logit_bias": {"1": 2, "2": -INF}, "top_p": 0.8}],
        [{"top_k": 3}, {"top_p": 0.5}, {"min_p": 1}, {"temperature": 0}]),
}

#: With a prompt and an output.
WITH_HISTORY = {
    "llama_cpp": [{"repeat_penalty": 1.5}, {"frequency_penalty": 0.5, "presence_penalty": 0.25}, {"repeat_penalty": 1.5, "repeat_last_n": 3},
                  {"dry_multiplier": 0.8}, {"dry_multiplier": 0.8, "dry_penalty_last_n": 6, "dry_allowed_length": 1}],
    "transformers": [{"repetition_penalty": 1.3}, {"no_repeat_ngram_size": 2}, {"bad_words_ids": [[7], [3, 9], [2, 4, 8]]},
                     {"min_new_tokens": 5, "eos_token_id": [0, 10]}, {"min_length": 13, "eos_token_id": [0, 10]},
                     {"min_length": 14, "eos_token_id": [0, 10]}],
    "vllm": [{"repetition_penalty": 1.3}, {"frequency_penalty": 0.5, "presence_penalty": 0.25}, {"bad_words": [[3, 9], [5, 4, 6]]},
             {"min_tokens": 5, "stop_token_ids": [0, 10]}, {"min_tokens": 4, "stop_token_ids": [0, 10]}],
    "sglang": [{"repetition_penalty": 1.3}, {"frequency_penalty": 0.5, "presence_penalty": 0.25},
               {"frequency_penalty": 0.5, "repetition_penalty": 1.3}, {"min_new_tokens": 5, "stop_token_ids": [0, 10]},
               {"min_new_tokens": 4, "stop_token_ids": [0, 10]}],
    "mlx_lm": [{"temp": 1, "repetition_penalty": 1.3}, {"temp": 1, "repetition_penalty": 1.3, "repetition_context_size": 3},
               {"temp": 1, "frequency_penalty": 0.5, "frequency_context_size": 6, "presence_penalty": 0.25}],
    "koboldcpp": [{"rep_pen": 1.3}, {"rep_pen": 1.3, "rep_pen_range": 3, "presence_penalty": 0.5}, {"dry_multiplier": 0.8},
                  {"dry_multiplier": 0.8, "dry_penalty_last_n": 0, "dry_allowed_length": 1},
                  {"rep_pen": 2, "sampler_order": [2, 6], "top_p": 0.8}],
    "exllamav2": [{"top_p": 0}, {"top_p": 0, "token_repetition_range": 3, "token_frequency_penalty": 0.5},
                  {"top_p": 0, "token_repetition_penalty": 1.5, "token_presence_penalty": 0.25}],
    "exllamav3": [{"rep_p": 1.3}, {"rep_p": 1.3, "rep_sustain_range": 4}, {"freq_p": 0.5, "pres_p": 0.25, "rep_sustain_range": 3}],
}

#: What no engine's sampler has a distribution for.
REFUSED = {
    "not_a_number": [0.5, math.nan, 1.0],
    "infinite": [0.5, 1.0, INF],
    "all_banned": [-INF, -INF, -INF],
}


def shown(x):
    """JSON has no infinities."""
    if isinstance(x, float) and not math.isfinite(x):
        return "nan" if math.isnan(x) else "inf" if x > 0 else "-inf"
    if isinstance(x, dict):
        return {k: shown(v) for k, v in x.items()}
    return [shown(v) for v in x] if isinstance(x, (list, tuple)) else x


def case(engine, parameters, name, prompt, output):
    law = Law(ROWS[name])
    globals()[engine](law, list(prompt), list(output), **parameters)
    p = law.p()
    if min(p.values()) < TINY:
        raise TooClose
    found = {"engine": engine, "parameters": shown(parameters), "row": name}
    if prompt or output:
        found |= {"prompt": prompt, "output": output}
    kept = sorted(p)
    found |= {"kept": kept, "p": [float(f"{p[i]:.12g}") for i in kept]}
    if law.edge:
        found["edge"] = sorted(law.edge)
    return found


def cases():
    skipped = 0
    for engine, (general, edges) in PARAMETERS.items():
        plans = [(p, name, [], []) for at, p in enumerate(general) for name in (GENERAL[(at + d) % len(GENERAL)] for d in range(3))]
        plans += [(p, name, [], []) for p in edges for name in EDGES]
        plans += [(p, name, *HISTORY.values()) for p in WITH_HISTORY[engine] for name in ("spread", "negative")]
        for plan in plans:
            try:
                yield case(engine, *plan)
            except TooClose:
                skipped += 1
        for name in REFUSED:
            yield {"engine": engine, "parameters": {}, "row": name, "refused": True}
    print(f"{skipped} cases are too close to call", file=sys.stderr)


def main():
    rows = {name: shown(values) for name, values in (ROWS | REFUSED).items()}
    lines = [json.dumps(c) for c in cases()]
    print('{"format": "sampler-conformance/1", "rows": {')
    print(",\n".join(f"{json.dumps(name)}: {json.dumps(values)}" for name, values in rows.items()))
    print('}, "cases": [')
    print(",\n".join(lines))
    print("]}")


if __name__ == "__main__":
    main()
