"""Questions have the answers that their texts say."""

import json
import re

import pytest

from bregman_lab import tasks


@pytest.mark.parametrize("task", tasks.TASKS)
def test_questions_are_the_same_on_every_run_and_none_is_an_example_or_a_repetition(task: str) -> None:
    asked = tasks.questions(task, 50)
    assert asked == tasks.questions(task, 50)
    assert asked != tasks.questions(task, 50, seed=2)
    assert len({q.prompt for q in asked}) == 50
    for q in asked:
        question = q.prompt.splitlines()[-2]
        assert question not in q.prompt.splitlines()[:-2]
        assert q.answer.startswith(" ")
        assert q.answer.endswith("\n")


def _asked(task: str) -> list[tuple[str, str]]:
    return [(q.prompt.splitlines()[-2].split(": ", 1)[1], q.answer.strip()) for q in tasks.questions(task, 50)]


def test_sums_and_reversals_are_right() -> None:
    for text, answer in _asked("sums") + _asked("steps"):
        assert eval(text) == int(answer)
    for text, answer in _asked("reverse"):
        assert text.split(", ")[::-1] == answer.split(", ")


def test_json_has_what_the_sentence_says() -> None:
    for text, answer in _asked("json"):
        assert {k: str(v) for k, v in json.loads(answer).items()} == dict(
            part.split(" ") for part in text.split(" and ")
        )


def test_facts_and_names_are_stated_in_the_question() -> None:
    for text, answer in _asked("facts"):
        who = re.search(r"(?:does|is) (\w+)(?: live)?\?", text)[1]
        stated = re.search(rf"{who} lives in (\w+) and is (\d+)\.", text)
        assert answer == stated[1 if "Where" in text else 2]
    for text, answer in _asked("names"):
        item = re.search(r"Who buys (\w+)\?", text)[1]
        assert f"{answer} buys {item}" in text
