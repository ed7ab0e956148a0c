"""Augmented training sentences: how many, with which spans, always the same, and never from dev or test."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from pathlib import Path

import pytest

from onomast.corpus import Corpus
from onomast.data.augment import AUGMENTERS, augment
from onomast.errors import RecipeError
from onomast.recipe import Augment, Recipe, read_recipe
from onomast.sentence import Sentence, Span
from onomast.taggers.linear.tagger import LinearTagger
from onomast.taggers.training_corpus import augmented
from onomast.tags import Tag, faults

LABELS = ("LOC", "ORG", "PER")


def sentence(rng: random.Random) -> Sentence:
    """A made-up sentence: entities of one to three words, some next to each other, some tokens not annotated."""
    tokens: list[str] = []
    tags: list[Tag] = []
    for _ in range(rng.randint(1, 6)):
        label, length = rng.choice(LABELS), rng.randint(1, 3)
        kind = rng.choice(("entity", "outside", "unknown"))
        tokens += [f"{label}{rng.randint(0, 9)}" if kind == "entity" else f"w{rng.randint(0, 9)}"] * length
        if kind == "entity":
            tags += [f"B-{label}", *[f"I-{label}"] * (length - 1)]
        else:
            tags += ["O" if kind == "outside" else None] * length
    pos = tuple(f"pos-{token}" for token in tokens) if rng.random() < 0.5 else None
    return Sentence(tuple(tokens), tuple(tags), pos, language="xx")


def corpus(size: int = 60) -> Corpus:
    rng = random.Random(4)
    made = [sentence(rng) for _ in range(size + 2)]
    only_here = Sentence(("Devtown",), ("B-LOC",))
    return Corpus("made-up", tuple(made[:size]), (only_here, made[size]), (only_here, made[size + 1]))


def new(given: Corpus, settings: Augment, seed: int = 0) -> tuple[Sentence, ...]:
    made = augment(given, settings, seed)
    assert made.train[: len(given.train)] == given.train
    assert (made.dev, made.test) == (given.dev, given.test)
    return made.train[len(given.train) :]


def test_nothing_is_made_by_default() -> None:
    given = corpus()
    assert augment(given, Augment()) is given
    assert all(getattr(Augment(), name) == 0 for name in AUGMENTERS)


def test_replacing_keeps_labels_legal_tags_and_what_stands_between() -> None:
    given = corpus()
    skeletons = {skeleton(one) for one in given.train}
    entities = {(one.tokens[span.start : span.end], span.label) for one in given.train for span in one.spans}
    made = new(given, Augment(dictionary=300))
    assert len(made) == 300
    for one in made:
        assert not faults(one.tags or ())
        assert skeleton(one) in skeletons
        assert {(one.tokens[span.start : span.end], span.label) for span in one.spans} <= entities
        assert one.language == "xx"
        assert one.pos is None or all(
            pos == f"pos-{token}" or token[0] in "LOP" for token, pos in zip(one.tokens, one.pos, strict=True)
        )
    assert not set(made) <= set(given.train)
    assert not any("Devtown" in one.tokens for one in made)


def skeleton(one: Sentence) -> tuple[str, ...]:
    """The sentence with each entity as its label, whatever its words."""
    starts = {span.start: span for span in one.spans}
    inside = {index for span in one.spans for index in range(span.start + 1, span.end)}
    return tuple(
        starts[index].label if index in starts else token
        for index, token in enumerate(one.tokens)
        if index not in inside
    )


def test_an_entity_that_may_go_on_untagged_is_neither_replaced_nor_an_entry() -> None:
    cut = Sentence(("New", "York", "and", "Kano"), ("B-LOC", None, "O", "B-LOC"))
    made = new(Corpus("c", (cut, Sentence(("Lima",), ("B-LOC",)))), Augment(dictionary=50))
    assert {one.tokens for one in made} == {
        ("New", "York", "and", "Kano"),
        ("New", "York", "and", "Lima"),
        ("Lima",),
        ("Kano",),
    }


def test_part_of_speech_is_the_entrys_or_none_where_it_cannot_be_known(tmp_path: Path) -> None:
    file = tmp_path / "places.txt"
    file.write_text("Abuja\n\nPort Harcourt\n", encoding="utf-8")
    given = Corpus("c", (Sentence(("in", "Lagos"), ("O", "B-LOC"), ("ADP", "PROPN")),))
    made = new(given, Augment(dictionary=60, lists={"LOC": str(file)}))
    assert {(one.tokens, one.pos) for one in made} == {
        (("in", "Lagos"), ("ADP", "PROPN")), (("in", "Abuja"), ("ADP", "PROPN")), (("in", "Port", "Harcourt"), None),
    }  # fmt: skip


def test_the_dictionary_labels_sentences_without_tags_longest_entry_first() -> None:
    tagged = Sentence(("New", "York", "met", "York", "Lee"), ("B-LOC", "I-LOC", "O", "B-PER", "O"))
    bare = tuple(
        Sentence(tuple(text.split()), label="x") for text in ("to New York", "York New", "no name", "met a York")
    )
    made = new(Corpus("c", (tagged, *bare)), Augment(label=9))
    assert {one.tokens: one.spans for one in made} == {
        ("to", "New", "York"): [Span(1, 3, "LOC")], ("York", "New"): [Span(0, 1, "PER")],
        ("met", "a", "York"): [Span(2, 3, "PER")],  # the last word, with a longer entry in the dictionary
    }  # fmt: skip
    assert all(one.label == "x" for one in made)
    assert len(new(Corpus("c", (tagged, *bare)), Augment(label=1))) == 1
    given = Corpus("c", (tagged,))
    settings = dataclasses.replace(read_recipe("crf"), augment=Augment(label=9))
    assert set(augmented(given, settings, bare).train) == {tagged, *made}


def test_rare_labels_are_repeated_by_the_root_of_what_they_lack() -> None:
    plain = tuple(Sentence((f"w{index}",), ("B-LOC",)) for index in range(99))
    rare = Sentence(("x", "y"), ("B-TIME", "B-LOC"))
    made = Counter(new(Corpus("c", (*plain, rare)), Augment(oversample=0.25)))
    assert made == {rare: 4}  # sqrt(0.25 / 0.01) = 5 times in all
    twice = tuple(Sentence((f"t{index}",), ("B-TIME",)) for index in range(1000))
    many = new(Corpus("c", (*twice, *plain * 30)), Augment(oversample=0.5))
    expected = 1000 * ((0.5 / (1000 / 3970)) ** 0.5 - 1)
    assert set(many) <= set(twice)
    assert len(many) == pytest.approx(expected, abs=80)


@pytest.mark.parametrize("settings", [Augment(dictionary=40), Augment(oversample=0.9)])
def test_a_seed_gives_the_same_sentences_and_another_seed_others(settings: Augment) -> None:
    assert new(corpus(), settings, 1) == new(corpus(), settings, 1)
    assert new(corpus(), settings, 1) != new(corpus(), settings, 2)


def test_settings_that_cannot_be_used_are_named() -> None:
    with pytest.raises(RecipeError, match=r"augment\.dictionary"):
        augment(corpus(), Augment(dictionary=-1))
    with pytest.raises(RecipeError, match=r"augment\.lists\.LOC"):
        augment(corpus(), Augment(dictionary=1, lists={"LOC": "nowhere.txt"}))


def test_the_linear_tagger_learns_from_what_was_made(tmp_path: Path) -> None:
    file = tmp_path / "people.txt"
    file.write_text("Zuwena\n", encoding="utf-8")
    train = tuple(
        Sentence((f"w{index}", "Mr", name, "saw"), ("O", "O", "B-PER", "O")) for index, name in enumerate("AB")
    )
    changes = {"augment.dictionary": "40", "augment.lists": f'{{PER = "{file}"}}'}
    tagger = LinearTagger(read_recipe("crf", changes))
    tagger.fit(Corpus("c", train))
    tagger.save(tmp_path / "model")
    file.unlink()
    (tagged,) = LinearTagger.load(tmp_path / "model").tag([Sentence(("w1", "Mr", "Zuwena", "saw"))])
    assert tagged.spans == [Span(2, 3, "PER")]


def test_the_neural_tagger_makes_sentences_after_the_dev_share_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from onomast.taggers.neural import tagger as neural

    seen: list[Corpus] = []

    def stop(given: Corpus, recipe: Recipe, untagged: tuple[Sentence, ...]) -> Corpus:
        seen.append(augmented(given, recipe, untagged))
        raise RecipeError("enough")

    monkeypatch.setattr(neural, "augmented", stop)
    train = tuple(Sentence((f"w{index}", f"n{index}"), ("O", "B-PER")) for index in range(40))
    with pytest.raises(RecipeError, match="enough"):
        neural.NeuralTagger(read_recipe("bilstm-crf", {"augment.dictionary": "200"})).fit(Corpus("c", train))
    (made,) = seen
    assert made.dev
    assert len(made.train) + len(made.dev) == 240
    assert not {one.tokens[1] for one in made.train} & {one.tokens[1] for one in made.dev}
