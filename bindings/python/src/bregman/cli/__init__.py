"""The command line: pictures of what chains do to a row, and the catalogue in words.

| file | job |
|---|---|
| `arguments` | the options of each command |
| `rows` | rows of logits from files, with the texts of their tokens |
| `model` | the row of a model after a prompt, by examples/generate |
| `steps` | a chain's distribution before and after each stage |
| `errors` | the error of the command line's own |
| `words` | numbers, tokens and the catalogue as text |
| `terminal` | pictures and tables on a terminal, by rich |
| `figure` | the same pictures as SVG and PNG, by matplotlib |
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from bregman.cli.arguments import Arguments, parse
from bregman.cli.errors import UsageError
from bregman.cli.rows import Row, example, read
from bregman.errors import BregmanError

#: Exit codes: 2 for what was asked for (as argparse has it), 1 for what is missing on this machine.
_WRONG, _MISSING = 2, 1


def main(given: Sequence[str] | None = None) -> int:
    """Runs a command, and returns the exit code: 0, 2 for wrong arguments, 1 where something is not installed."""
    arguments = parse(given)
    try:
        _run(arguments)
    except ModuleNotFoundError as e:
        if e.name not in {"rich", "matplotlib"}:
            raise
        extra = {"rich": "cli", "matplotlib": "figures"}[e.name]
        return _failed(f"this needs {e.name}: pip install {e.name} (the extra bregman[{extra}])", _MISSING)
    except (BregmanError, UsageError) as e:
        return _failed(str(e), _WRONG)
    except BrokenPipeError:  # the reader, such as head, has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _failed(why: str, code: int) -> int:
    print(f"python -m bregman: {why}", file=sys.stderr)
    return code


def _run(arguments: Arguments) -> None:
    # Here, so that a missing package is a message.
    from bregman.cli import steps, terminal  # noqa: PLC0415

    if arguments.command == "stages":
        terminal.show_catalogue(arguments.names)
        return
    if arguments.command == "explain":
        terminal.explain(arguments.chains[0])
        return
    row = _row(arguments)
    if arguments.command == "show":
        picture = steps.stage_by_stage(arguments.chains[0], row, arguments.seed)
    else:
        picture = steps.side_by_side(arguments.chains, row, arguments.seed)
    if not arguments.files:
        terminal.show(picture, arguments.top)
        return
    from bregman.cli import figure  # noqa: PLC0415

    for path in arguments.files:
        figure.write(picture, arguments.top, path, dark=arguments.dark)


def _row(arguments: Arguments) -> Row:
    if arguments.model is not None:
        from bregman.cli import model  # noqa: PLC0415

        return model.row_after(arguments.model, arguments.prompt or "")
    if arguments.row is not None:
        return read(arguments.row, arguments.tokens)
    return example()
