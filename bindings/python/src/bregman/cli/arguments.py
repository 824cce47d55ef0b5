"""The options of each command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_ROWS = """\
The row, if neither --row nor --model names one, is that of the project's tiny model after "And the king of".

--row FILE     .json   a list of logits; or an object with "logits" and, if you like, "tokens" (a text for each),
                       "prompt" and "prompt_tokens" (ids, which stages such as penalties read as the history)
               .csv    a logit a line, or a token's text and its logit
               .npy    a numpy array of one dimension
               other   float32, as the machine has them
--tokens FILE  .json   a list of texts, or an object from texts to ids (such as vocab.json)
               other   a text a line
--model GGUF   needs examples/generate of a checkout, with llama.cpp; ci/bregman.sh, instead of python -m bregman,
               fetches and builds both
"""

_EXAMPLES = {
    "show": """\
examples:
  python -m bregman show --chain "temperature(0.8) | bregman(alpha=1.5, floor=0.02) | draw"
  python -m bregman show --chain "llama_cpp(temp=0.7)" --row row.npy --tokens vocab.json --svg picture.svg
  ci/bregman.sh show --chain "top_p(0.9)" --model "$(ci/models.sh)" --prompt "The capital of France is"
""",
    "compare": """\
examples:
  python -m bregman compare --chain "top_p(0.9)" --chain "min_p(0.1)" --chain "bregman(alpha=2, floor=0.02)"
  python -m bregman compare --chain llama_cpp --chain vllm --chain transformers --png defaults.png
""",
}


@dataclass(frozen=True)
class Arguments:
    """What was asked for."""

    command: str
    chains: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    row: Path | None = None
    tokens: Path | None = None
    model: Path | None = None
    prompt: str | None = None
    seed: int = 0
    top: int = 12
    files: tuple[Path, ...] = field(default=())
    dark: bool = False


def _whole(least: int, most: int, text: str) -> int:
    number = int(text)
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text} is not from {least} to {most}")
    return number


def _seed(text: str) -> int:
    return _whole(0, 2**64 - 1, text)


def _count(text: str) -> int:
    return _whole(1, 200, text)


# argparse names these in its message for what is no number.
_seed.__name__, _count.__name__ = "seed", "number"


def _add_picture(parser: argparse.ArgumentParser) -> None:
    row = parser.add_argument_group("the row of logits")
    source = row.add_mutually_exclusive_group()
    source.add_argument("--row", type=Path, metavar="FILE", help="a file with logits: see below")
    source.add_argument("--model", type=Path, metavar="GGUF", help="a model, whose row after --prompt it is")
    row.add_argument("--prompt", metavar="TEXT", help="for --model")
    row.add_argument("--tokens", type=Path, metavar="FILE", help="the texts of the tokens, for --row")
    output = parser.add_argument_group("the picture")
    output.add_argument("--top", type=_count, default=12, metavar="N", help="how many tokens it has (default: 12)")
    output.add_argument("--svg", type=Path, metavar="FILE", help="write this file instead of to the terminal")
    output.add_argument("--png", type=Path, metavar="FILE", help="likewise")
    output.add_argument("--dark", action="store_true", help="files with a dark background")
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="of stages that draw (default: 0)")


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"{_ROWS}\n{_EXAMPLES[name]}" if name in _EXAMPLES else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bregman", description="Shows what chains of samplers do.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    show = _add(commands, "show", "what each stage of a chain does to a row of logits, as a picture")
    show.add_argument("--chain", action="append", required=True, metavar="TEXT", help="the chain")
    _add_picture(show)

    compare = _add(commands, "compare", "what several chains make of the same row, side by side")
    compare.add_argument(
        "--chain", action="append", required=True, metavar="TEXT", help="a chain; once for each of them"
    )
    _add_picture(compare)

    stages = _add(commands, "stages", "the stages and macros that a chain may name")
    stages.add_argument("names", nargs="*", metavar="NAME", help="only these, with their parameters")

    explain = _add(commands, "explain", "what a chain does, stage by stage, in words")
    explain.add_argument("chain", metavar="CHAIN", help='such as "temperature(0.8) | top_p(0.95) | draw"')
    return parser


def parse(given: Sequence[str] | None) -> Arguments:
    """Parses the command line; wrong ones end the process with a message and the exit code 2."""
    parser = _parser()
    a = parser.parse_args(given)
    if a.command == "stages":
        return Arguments(a.command, names=tuple(a.names))
    if a.command == "explain":
        return Arguments(a.command, chains=(a.chain,))
    if a.command == "show" and len(a.chain) > 1:
        parser.error("show takes one --chain: compare takes several")
    if (a.model is None) != (a.prompt is None):
        parser.error("--model and --prompt go together")
    if a.tokens is not None and a.row is None:
        parser.error("--tokens needs --row")
    files = tuple(path for path in (a.svg, a.png) if path is not None)
    if a.dark and not files:
        parser.error("--dark needs --svg or --png")
    for option, path in (("svg", a.svg), ("png", a.png)):
        if path is not None and path.suffix.lower() != f".{option}":
            parser.error(f"--{option}: {path} does not end in .{option}")
    return Arguments(a.command, tuple(a.chain), (), a.row, a.tokens, a.model, a.prompt, a.seed, a.top, files, a.dark)
