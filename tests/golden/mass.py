"""Writes mass.json: the Bregman decoders' support by mass, in 50-digit arithmetic from the definitions.

usage: python3 tests/golden/mass.py > tests/golden/mass.json        (needs mpmath)

A case has weights w (p = w / sum w, descending), alpha, mode, mass; and what follows from them: nucleus, the number of
tokens that top-p keeps; k_star; phat; distance = D(phat, p); budget = D(top-p's tokens renormalised, p); margin, the
relative distance from the nearest tie.
"""

import json
import math

from mpmath import mp, mpf

mp.dps = 50


def splitmix(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        yield ((z ^ (z >> 31)) >> 11) / 2**53


def weights(kind, n, random):
    """Descending; each a float, so that every reader has the same number."""
    if kind == "zipf":
        list_ = [(i + 1.0) ** -1.2 * (1 + 0.3 * next(random)) for i in range(n)]
    elif kind == "peaked":
        list_ = [math.exp(-9 * i / n) * (3 if i == 0 else 1 + next(random)) for i in range(n)]
    elif kind == "flat":
        list_ = [1 + 0.2 * next(random) for _ in range(n)]
    elif kind == "tied":
        list_ = [1.0 + i % 2 + i % 3 for i in range(n)]
    else:
        list_ = [math.exp(-math.log(1e-9 + next(random)) - 12 * i / n) for i in range(n)]
    return sorted(list_, reverse=True)


def phi(x, alpha):
    if x == 0:
        return mpf(0)
    return x * mp.log(x) if alpha == 1 else x**alpha / (alpha * (alpha - 1))


def divergence(x, y, alpha):
    """d(x, y); y = 0 only for alpha > 1."""
    if y == 0:
        return phi(x, alpha)
    slope = mp.log(y) + 1 if alpha == 1 else y ** (alpha - 1) / (alpha - 1)
    return phi(x, alpha) - phi(y, alpha) - slope * (x - y)


def distance(x, p, alpha, mode):
    x = x + [mpf(0)] * (len(p) - len(x))
    pairs = zip(x, p) if mode == "primal" else zip(p, x)
    return mp.fsum(divergence(a, b, alpha) for a, b in pairs)


def root(f, low, high):
    """Of an increasing function: to the last digit, by halving and then by the secant's steps."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if f(middle) > 0 else (middle, high)
    a, b = low, high
    fa, fb = f(a), f(b)
    for _ in range(12):
        if fa == fb or abs(b - a) < mpf(10) ** -48 * abs(b):
            break
        a, b, fa = b, b - fb * (b - a) / (fb - fa), fb
        fb = f(b)
    return b


def optimum(p, alpha, mode):
    """The best probabilities on a support with the masses p."""
    if len(p) == 1:
        return [mpf(1)]
    b = alpha - 1
    if mode == "primal" and b == 0:
        return [q / mp.fsum(p) for q in p]
    if mode == "primal":
        # The first token's share decides all others: x^b - p^b is the same for each.
        def at(first):
            first = max(first, p[0])
            return [(first**b - p[0] ** b + q**b) ** (1 / b) for q in p]

        low, high = p[0], mpf(1)
    else:

        def one(nu, q):
            return root(lambda x: x ** (b - 1) * (x - q) - nu, q, mpf(1) + q)

        def at(first):
            first = max(first, p[0])
            nu = first ** (b - 1) * (first - p[0])
            return [first] + [one(nu, q) for q in p[1:]]

        low, high = p[0], mpf(1)
    return at(root(lambda first: mp.fsum(at(first)) - 1, low, high))


def case(name, w, alpha, mode, mass):
    total = mp.fsum(mpf(x) for x in w)
    p = [mpf(x) / total for x in w]
    sums = [mp.fsum(p[: k + 1]) for k in range(len(p))]
    # Too near a boundary of top-p.
    if len(p) > 1 and min(abs(s - mass) for s in sums) < mpf(10) ** -5:
        return None
    nucleus = next(k + 1 for k, s in enumerate(sums) if s >= mass)
    top = [q / sums[nucleus - 1] for q in p[:nucleus]]
    a = mpf(alpha)
    budget = distance(top, p, a, mode)
    low, high, known = 1, nucleus, {}

    def fits(k):
        if k not in known:
            known[k] = distance(optimum(p[:k], a, mode), p, a, mode)
        return known[k] <= budget * (1 + mpf(10) ** -40)

    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle + 1, high)
    x = optimum(p[:low], a, mode)
    own = distance(x, p, a, mode)
    # At alpha = 1 the budget is met exactly, and one token less is off by far.
    gaps = [] if alpha == 1 or low == nucleus else [abs(own / budget - 1)]
    # Nothing is dropped where top-p drops nothing.
    if low > 1 and nucleus < len(p):
        fits(low - 1)
        gaps.append(abs(known[low - 1] / budget - 1))
    return {
        "name": name,
        "mode": mode,
        "alpha": alpha,
        "mass": mass,
        "weights": w,
        "nucleus": nucleus,
        "k_star": low,
        "phat": [float(v) for v in x],
        "distance": float(own),
        "budget": float(budget),
        "margin": float(min(gaps)) if gaps else 1.0,
    }


def main():
    random = splitmix(20261129)
    kinds = ["zipf", "peaked", "flat", "tied", "random", "zipf"]
    divergences = [("primal", a) for a in (0.25, 0.5, 0.875, 1.0, 1.125, 1.5, 2.0, 2.5, 3.0, 6.0, 16.0)]
    divergences += [("dual", a) for a in (1.0625, 1.25, 1.5, 2.0, 3.0, 6.0, 16.0)]
    masses = [0.4, 0.77, 0.9, 0.951, 0.97, 0.99, 0.9993]
    cases = []
    for i, (mode, alpha) in enumerate(divergences):
        for j, kind in enumerate(kinds):
            n = 5 + int(next(random) * (14 if mode == "dual" else 50))
            mass = masses[(3 * i + 5 * j + int(next(random) * 7)) % len(masses)]
            found = None
            while found is None:
                found = case(f"{mode}_{alpha}_{kind}_{j}", weights(kind, n, random), alpha, mode, mass)
                n += 1
            cases.append(found)
    cases.append(case("one_token", [3.0], 2.0, "primal", 0.5))
    print('{"format": "bregman-mass/1", "cases": [')
    print(",\n".join(json.dumps(c) for c in cases))
    print("]}")


main()
