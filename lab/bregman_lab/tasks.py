"""Questions with one right answer, made from a seed: nothing has to be downloaded.

Every prompt is plain text with a few solved examples, so that it is the same for every model, chat template or not. The
answer ends with its line, so that a model that goes on is wrong.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import NamedTuple

FIRST = [
    "Ada",
    "Bruno",
    "Clara",
    "Dmitri",
    "Elena",
    "Farid",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Kira",
    "Leon",
    "Mina",
    "Nils",
    "Olga",
    "Pavel",
    "Rosa",
    "Stefan",
    "Tara",
    "Uwe",
    "Vera",
    "Wanda",
    "Yusuf",
    "Zora",
]
SYLLABLES = [
    "bar",
    "dor",
    "fen",
    "gal",
    "hul",
    "jor",
    "kim",
    "lor",
    "mav",
    "nel",
    "pol",
    "quin",
    "ras",
    "sil",
    "tor",
    "ull",
    "ven",
    "wex",
    "yar",
    "zan",
]
CITIES = [
    "Oslo",
    "Lima",
    "Cairo",
    "Paris",
    "Quito",
    "Delhi",
    "Rome",
    "Tunis",
    "Kyoto",
    "Dublin",
    "Havana",
    "Prague",
    "Lisbon",
    "Nairobi",
]
WORDS = [
    "apple",
    "river",
    "stone",
    "cloud",
    "green",
    "table",
    "horse",
    "paper",
    "light",
    "music",
    "winter",
    "silver",
    "garden",
    "bridge",
    "market",
    "window",
    "candle",
    "forest",
    "island",
    "button",
]
FRUIT = ["apples", "pears", "plums", "figs", "grapes", "lemons"]


class Item(NamedTuple):
    """A question."""

    task: str
    prompt: str
    #: What must follow the prompt, to the end of the line.
    answer: str


def _json(rng: random.Random) -> tuple[str, str]:
    record = {"name": rng.choice(FIRST), "age": rng.randrange(10, 100), "city": rng.choice(CITIES)}
    keys = rng.sample(list(record), 2)
    said = " and ".join(f"{key} {record[key]}" for key in keys)
    return said, json.dumps({key: record[key] for key in keys})


def _reverse(rng: random.Random) -> tuple[str, str]:
    words = rng.sample(WORDS, rng.choice((2, 3)))
    return ", ".join(words), ", ".join(reversed(words))


def _sums(rng: random.Random) -> tuple[str, str]:
    a, b = rng.randrange(2, 50), rng.randrange(2, 50)
    return f"{a} + {b}", str(a + b)


def _steps(rng: random.Random) -> tuple[str, str]:
    a, b = rng.randrange(2, 100), rng.randrange(1, 4)
    return f"{a} + {b}", str(a + b)


def _facts(rng: random.Random) -> tuple[str, str]:
    people = rng.sample(FIRST, 3)
    cities, ages = rng.sample(CITIES, 3), rng.sample(range(20, 80), 3)
    who = rng.randrange(3)
    table = " ".join(f"{p} lives in {c} and is {a}." for p, c, a in zip(people, cities, ages, strict=True))
    if rng.random() < 0.5:
        return f"{table} Where does {people[who]} live?", cities[who]
    return f"{table} How old is {people[who]}?", str(ages[who])


def _name(rng: random.Random) -> str:
    return "".join(rng.choice(SYLLABLES) for _ in range(2)).capitalize()


def _names(rng: random.Random) -> tuple[str, str]:
    names = [f"{_name(rng)} {_name(rng)}" for _ in range(2)]
    items = rng.sample(FRUIT, 2)
    who = rng.randrange(2)
    said = "; ".join(f"{n} buys {i}" for n, i in zip(names, items, strict=True))
    return f"{said}. Who buys {items[who]}?", names[who]


#: Name, the labels of question and answer, the number of solved examples, and what makes a question.
TASKS: dict[str, tuple[str, str, int, Callable[[random.Random], tuple[str, str]]]] = {
    "json": ("Text", "JSON", 3, _json),
    "reverse": ("List", "Reversed", 8, _reverse),
    "sums": ("Sum", "Result", 8, _sums),
    "steps": ("Sum", "Result", 8, _steps),
    "facts": ("Question", "Answer", 5, _facts),
    "names": ("Question", "Answer", 5, _names),
}


def questions(task: str, count: int, seed: int = 1) -> list[Item]:
    """`count` different questions of a task, all after the same solved examples."""
    asked, replied, examples, make = TASKS[task]
    rng = random.Random(f"{task} {seed}")
    pairs: dict[str, str] = {}
    while len(pairs) < examples + count:
        question, answer = make(rng)
        pairs.setdefault(question, answer)
    solved = list(pairs.items())
    head = "".join(f"{asked}: {q}\n{replied}: {a}\n" for q, a in solved[:examples])
    return [Item(task, f"{head}{asked}: {q}\n{replied}:", f" {a}\n") for q, a in solved[examples:]]


#: The beginnings of texts that a model goes on with, its own words drawn at temperature 1.
BEGINNINGS = [
    "The old lighthouse keeper opened the letter and",
    "Our team finished the project last week, and now",
    "In the middle of the market stood a woman who",
    "The history of the small town begins with",
    "My favourite way to spend a rainy afternoon is",
    "When the train stopped between two stations,",
    "Scientists have long wondered why birds",
    "Dear Maria, I am writing to you because",
    "The recipe for a good soup starts with",
    "Nobody had expected the new teacher to",
    "To understand how a bicycle stays upright, consider",
    "The captain looked at the map once more and",
    "At the edge of the forest there was a house that",
    "There are three reasons to learn a language:",
    "The museum's newest exhibit shows",
    "Every morning before sunrise, the baker",
    "The first thing the visitors noticed was",
    "If I could change one thing about this city,",
    "The experiment failed, but the students",
    "After the storm the harbour was full of",
    "The best advice my grandmother gave me was",
    "Before you buy a used car, you should",
    "The meeting began late because",
    "On the far side of the river lived",
    "Learning to play the violin takes",
    "The letter had been in the drawer for",
    "Most people do not know that honey",
    "The mayor opened the ceremony with",
    "A small robot rolled into the kitchen and",
    "In winter the lake freezes, and then",
    "The detective put the photograph on the table and",
    "What surprised the doctors most was",
]
