"""Made-up sentences, small recipes and scripts that several test files share. Tests do not import tests."""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from onomast.corpus import Corpus
from onomast.recipe import Recipe, read_recipe
from onomast.sentence import Sentence

if TYPE_CHECKING:
    from onomast.taggers.neural.network import Network
    from onomast.taggers.neural.tagger import NeuralTagger

PLACES, PEOPLE = ("Tanga", "Moshi", "Dodoma", "Nairobi"), ("Asha", "Juma", "Neema", "Baraka")
SMALL = {
    "neural.words.width": "16",
    "neural.encoder.width": "16",
    "neural.training.steps": "0",
    "neural.training.epochs": "3",
    "neural.words.affix_width": "4",
}
SPOKEN = {
    "xx": (("Tanga", "Moshi", "Dodoma"), ("Asha", "Juma", "Neema"), "alisafiri huko"),
    "yy": (("Kano", "Jos", "Zaria"), ("Aisha", "Musa", "Bala"), "ya tafi"),
    "zz": (("Rusumo", "Huye", "Musanze"), ("Keza", "Mugisha", "Asha"), "yagiye i"),
}


def labelled(number: int, seed: int = 0) -> tuple[Sentence, ...]:
    """Sentences with a person, a place, POS tags and a category that follows from the verb."""
    draw = random.Random(seed)
    sentences = []
    for _ in range(number):
        verb, category = draw.choice([("alisafiri", "travel"), ("alilala", "rest")])
        tokens = (draw.choice(PEOPLE), verb, "huko", draw.choice(PLACES), *["sana"] * draw.randint(0, 4), ".")
        tags = ("B-PER", "O", "O", "B-LOC") + ("O",) * (len(tokens) - 4)
        pos = ("PROPN", "VERB", "ADV", "PROPN") + ("ADV",) * (len(tokens) - 5) + ("PUNCT",)
        sentences.append(Sentence(tokens, tags, pos, category))
    return tuple(sentences)


def spoken(language: str, number: int, seed: int = 0) -> tuple[Sentence, ...]:
    """Sentences of the made-up language xx, yy or zz, each with a person and a place."""
    places, people, verb = SPOKEN[language]
    draw = random.Random(seed)
    sentences = []
    for _ in range(number):
        tokens = (draw.choice(people), *verb.split(), draw.choice(places), *["la"] * draw.randint(0, 3), ".")
        tags = ("B-PER", "O", "O", "B-LOC", *["O"] * (len(tokens) - 4))
        sentences.append(Sentence(tokens, tags, language=language))
    return tuple(sentences)


def with_languages(target: int = 12, **sources: int) -> Corpus:
    """A corpus of language xx with so many sentences of each source language."""
    others = tuple(Corpus(name, spoken(name, number)) for name, number in sources.items())
    return Corpus("xx", spoken("xx", target), sources=others)


def bare(sentences: Sequence[Sentence]) -> list[Sentence]:
    """The sentences without tags, parts of speech and category."""
    return [dataclasses.replace(sentence.bare(), pos=None) for sentence in sentences]


def neural_recipe(name: str = "small", **changes: str) -> Recipe:
    """A recipe that trains in a second; `neural__words__width="8"` changes `neural.words.width`."""
    return read_recipe(name, {**SMALL, **{key.replace("__", "."): value for key, value in changes.items()}})


def fitted(recipe: Recipe, corpus: Corpus) -> NeuralTagger:
    """A neural tagger trained on a corpus."""
    from onomast.taggers.neural.tagger import NeuralTagger

    tagger = NeuralTagger(recipe)
    tagger.fit(corpus)
    return tagger


def network_of(tagger: NeuralTagger) -> Network:
    """The network of a trained tagger."""
    return tagger.network


def start_script(code: str, *words: str | Path) -> subprocess.Popen[bytes]:
    """Start Python code that may import this module, in a process of its own that a test can kill."""
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, words)], env=environment)
