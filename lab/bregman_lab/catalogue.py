"""The chains that are measured: every stage that truncates, on a grid, and the place of the temperature.

Every method has the same number of values, so that none is tuned with a larger budget than another.
"""

from __future__ import annotations

from typing import NamedTuple

#: Temperatures, and where they stand: before the truncation, or behind it.
TEMPERATURES = (0.5, 0.7, 1.0, 1.5, 2.0)
FIRST, LAST = "first", "last"

_MASSES = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
_CUTS = (3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.06, 0.1, 0.2)
_FLOORS = (0.3, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.0005)
_COUNTS = (1, 2, 3, 5, 10, 20, 50, 100)

#: Each method's stage with {} for its parameter, and the eight values of that.
METHODS: dict[str, tuple[str, tuple[float, ...]]] = {
    "top-k": ("top_k({})", _COUNTS),
    "top-p": ("top_p({})", _MASSES),
    "min-p": ("min_p({})", (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7)),
    "top-a": ("top_a({})", (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)),
    "typical": ("typical({})", (0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)),
    "tail-free": ("tail_free({})", _MASSES),
    "top-H": ("top_h({})", (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9)),
    "epsilon": ("epsilon({})", _CUTS),
    "eta": ("eta({})", _CUTS),
    "top-nσ": ("top_n_sigma({})", (0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0)),
    "XTC": ("xtc(probability=0.5, threshold={}, mode=average)", (0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4)),
    "α=0.5 floor": ("bregman(alpha=0.5, floor={})", _FLOORS),
    "α=1 floor": ("bregman(alpha=1, floor={})", _FLOORS),
    "α=1.5 floor": ("bregman(alpha=1.5, floor={})", _FLOORS),
    "α=2 floor": ("bregman(alpha=2, floor={})", _FLOORS),
    "α=3 floor": ("bregman(alpha=3, floor={})", _FLOORS),
    "dual α=1.5 floor": ("bregman(alpha=1.5, mode=dual, floor={})", _FLOORS),
    "α=1.5 mass": ("bregman(alpha=1.5, mass={})", _MASSES),
    "α=2 mass": ("bregman(alpha=2, mass={})", _MASSES),
    # Below 1.3 it keeps most of a flat row, and takes long to.
    "entmax": ("entmax({})", (1.3, 1.4, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0)),
    # These drop nothing.
    "smoothing": ("smoothing({})", (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)),
    "dynamic temperature": ("dynamic_temperature(1, delta={})", (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9)),
}
#: Methods that keep nearly every token: they are not compared at equal supports.
WIDE = ("XTC", "smoothing", "dynamic temperature")

#: Measured at temperature 1 only: they differ from one of the above in the renormalisation alone, or, as mass with
#: α = 0.5 does on the flat rows behind a temperature of 2, take as long as everything else together.
AT_ONE: dict[str, tuple[str, tuple[float, ...]]] = {
    "α=0.5 mass": ("bregman(alpha=0.5, mass={})", _MASSES),
    "α=0.5 k": ("bregman(alpha=0.5, k={})", _COUNTS),
    "α=1.5 k": ("bregman(alpha=1.5, k={})", _COUNTS),
    "α=2 k": ("bregman(alpha=2, k={})", _COUNTS),
    "α=∞ k": ("bregman(alpha=inf, k={})", _COUNTS),
    "α=0.5 top-p": ("bregman(alpha=0.5, top_p={})", _MASSES),
    "α=1.5 top-p": ("bregman(alpha=1.5, top_p={})", _MASSES),
    "α=2 top-p": ("bregman(alpha=2, top_p={})", _MASSES),
}

#: Without a parameter: one value for each temperature.
WITHOUT: dict[str, str] = {
    "p-less": "p_less",
    "p-less norm": "p_less(form=norm)",
}

#: Chains of whole engines, with their own defaults; the temperature is theirs.
MACROS: dict[str, str] = {
    "llama.cpp": "llama_cpp(temperature={})",
    "transformers": "transformers(temperature={})",
    "vLLM": "vllm(temperature={})",
    "vLLM, min-p .05": "vllm(temperature={}, min_p=0.05)",
    "SGLang": "sglang(temperature={})",
    "mlx_lm": "mlx_lm(temp={})",
    "koboldcpp": "koboldcpp(temperature={})",
    "ExLlamaV2": "exllamav2(temperature={})",
    "ExLlamaV3": "exllamav3(temperature={})",
}

#: Stages that are not measured on single rows, and why; those that adapt write texts.
LEFT_OUT: dict[str, str] = {
    "mirostat": "adapts to its own draws: no distribution of one row",
    "mirostat_v2": "adapts to its own draws: no distribution of one row",
    "adaptive_p": "adapts to its own draws: no distribution of one row",
    "temperature": "measured with every method",
}

#: One usual setting of each method: supports, calibration and the place of the temperature are compared at these, and
#: texts are written with them.
USUAL: dict[str, float | None] = {
    "temperature": None,
    "top-k": 20,
    "top-p": 0.9,
    "min-p": 0.1,
    "top-nσ": 1.0,
    "p-less": None,
    "epsilon": 0.01,
    "eta": 0.01,
    "α=0.5 floor": 0.05,
    "α=1 floor": 0.05,
    "α=1.5 floor": 0.05,
    "α=2 floor": 0.05,
    "α=1.5 mass": 0.9,
    "α=2 mass": 0.9,
}

#: Methods that write texts at a usual setting, and at the one that was most accurate with half of the entropy.
WRITING_AT_USUAL = ("temperature", "top-k", "top-p", "min-p", "α=1 floor", "α=1.5 floor", "α=2 floor", "α=1.5 mass",
                    "α=2 mass")  # fmt: skip
WRITING_AT_HALF = (
    *("temperature", "dynamic temperature", "top-p", "min-p", "typical"),
    *("α=1.5 floor", "α=2 floor", "α=1.5 mass", "α=2 mass"),
)
#: Chains that write texts besides: the ends of the scale, the temperature behind the stage, and what looks at the text.
ALSO_WRITING = (
    "greedy",
    "temperature(1.5)",
    "p_less",
    "top_p(0.9) | temperature(1.5)",
    "bregman(alpha=1.5, floor=0.05) | temperature(1.5)",
    "mirostat_v2(5)",
    "top_k(40) | adaptive_p(0.4)",
    "penalties(1.1) | top_p(0.9)",
)


class Config(NamedTuple):
    """One chain."""

    method: str
    value: float | None
    temperature: float
    #: FIRST or LAST; at temperature 1 it makes no difference.
    place: str

    @property
    def chain(self) -> str:
        """Its text."""
        if self.method in MACROS:
            return MACROS[self.method].format(self.temperature)
        if self.method == "temperature":
            return f"temperature({self.temperature})"
        if self.method == "greedy":
            return "greedy"
        stage = WITHOUT.get(self.method)
        if stage is None:
            template, _ = (METHODS | AT_ONE)[self.method]
            stage = template.format(self.value)
        if self.temperature == 1:
            return stage
        t = f"temperature({self.temperature})"
        return f"{t} | {stage}" if self.place == FIRST else f"{stage} | {t}"


def _placed(method: str, value: float | None) -> list[Config]:
    return [
        Config(method, value, t, place) for t in TEMPERATURES for place in (FIRST, LAST) if t != 1 or place == FIRST
    ]


def grid() -> list[Config]:
    """Every configuration."""
    configs = [Config("greedy", None, 1.0, FIRST)]
    configs += [Config(name, None, t, FIRST) for name in ("temperature", *MACROS) for t in TEMPERATURES]
    for method, (_, values) in METHODS.items():
        configs += [c for value in values for c in _placed(method, value)]
    for method in WITHOUT:
        configs += _placed(method, None)
    configs += [Config(m, v, 1.0, FIRST) for m, (_, values) in AT_ONE.items() for v in values]
    return configs


def drawing(chain: str) -> str:
    """The chain, with a draw at its end unless it draws already."""
    last = chain.rsplit("|", maxsplit=1)[-1].split("(", maxsplit=1)[0].strip()
    macros = {template.split("(")[0] for template in MACROS.values()}
    return chain if last in {"greedy", "mirostat", "mirostat_v2", "adaptive_p", *macros} else f"{chain} | draw"


class Writer(NamedTuple):
    """A chain that writes texts: a method's, "usual" or the best with "half" of the entropy, or one of no method."""

    chain: str
    method: str
    setting: str


def writers(chosen: dict[str, list[str]]) -> list[Writer]:
    """The chains that write texts; `chosen` has the most accurate ones of each method. None is there twice."""
    found = [Writer(Config(method, USUAL[method], 1.0, FIRST).chain, method, "usual") for method in WRITING_AT_USUAL]
    found += [Writer(chosen[method][0], method, "half") for method in WRITING_AT_HALF if method in chosen]
    found += [Writer(chain, "", "") for chain in ALSO_WRITING]
    return list({writer.chain: writer for writer in reversed(found)}.values())[::-1]


def stage_names() -> set[str]:
    """The stages that the grid names."""
    texts = [c.chain for c in grid() if c.method not in MACROS]
    return {part.split("(")[0].strip() for text in texts for part in text.split("|")}
