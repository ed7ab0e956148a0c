"""TriggerNER's files: blocks of one entity each become sentences with all entities and their triggers."""

from __future__ import annotations

from pathlib import Path

import pytest

from onomast.data.formats.registry import Reading, read_file
from onomast.errors import DataError
from onomast.sentence import Sentence, Trigger

BLOCKS = """\
Amina\tB-PER
Okello\tI-PER
flew\tT-1
home\tT-0
to\tT-10
Kano\tO
.\tT-10

Juma\tB-PER
slept\tT-0

Amina\tO
Okello\tO
flew\tT-0
home\tO
to\tT-1
Kano\tB-LOC
.\tO
"""


def reading_of(folder: Path, text: str, **options: str) -> Reading:
    (folder / "triggers.txt").write_text(text, encoding="utf-8")
    return read_file(folder / "triggers.txt", **options)  # type: ignore[arg-type]


def test_blocks_of_one_sentence_are_joined_wherever_they_stand(tmp_path: Path) -> None:
    reading = reading_of(tmp_path, BLOCKS, language="xx")
    flight, sleep = reading.sentences
    assert reading.format == "triggers"
    assert not reading.repairs
    assert flight.tags == ("B-PER", "I-PER", "O", "O", "O", "B-LOC", "O")
    assert flight.triggers == (
        Trigger((0, 2), (3,)),
        Trigger((0, 2), (2,)),
        Trigger((0, 2), (4, 6)),  # T-10 comes after T-1, and its words are not neighbours
        Trigger((5, 6), (2,)),
        Trigger((5, 6), (4,)),
    )
    assert sleep.triggers == (Trigger((0, 1), (1,)),)
    assert flight.language == "xx"
    assert (flight.source or "").endswith("triggers.txt:1")


def test_a_block_that_says_the_same_again_changes_nothing(tmp_path: Path) -> None:
    once, twice = reading_of(tmp_path, BLOCKS), reading_of(tmp_path, f"{BLOCKS}\n{BLOCKS}")
    assert once.sentences == twice.sentences


def test_an_entity_that_overlaps_another_is_left_out_with_its_triggers(tmp_path: Path) -> None:
    reading = reading_of(tmp_path, f"{BLOCKS}\nJuma\tB-PER\nslept\tI-PER\n\nJuma\tB-ORG\nslept\tT-0\n")
    assert reading.sentences == reading_of(tmp_path, BLOCKS).sentences
    assert [repair.kind for repair in reading.repairs] == ["overlapping-span"] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{BLOCKS}\nJuma O\nslept T-0\n", ":20: a block with triggers has 0 entities"),
        (f"{BLOCKS}\nJuma B-PER\nslept T-0\nhere B-LOC\n", ":20: a block with triggers has 2 entities"),
        (f"{BLOCKS}\nJuma B-PER\nslept\n", ":21: 'slept' has 1 columns"),
    ],
)
def test_broken_blocks_are_refused_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        reading_of(tmp_path, text, format="triggers")


def test_files_without_triggers_are_no_trigger_files(tmp_path: Path) -> None:
    assert reading_of(tmp_path, "Amina\tB-PER\nslept\tO\n").format == "columns"


def test_triggers_are_annotation_that_no_tagger_sees() -> None:
    sentence = Sentence(("Amina", "slept"), ("B-PER", "O"), triggers=(Trigger((0, 1), (1,)),))
    assert not sentence.bare().triggers
    assert not sentence.tagged(("O", "O")).triggers


@pytest.mark.parametrize("tokens", [(), (2,), (-1,)])
def test_triggers_outside_the_sentence_are_refused(tokens: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="does not fit a sentence of 2 tokens"):
        Sentence(("Amina", "slept"), ("B-PER", "O"), triggers=(Trigger((0, 1), tokens),))


@pytest.mark.corpus
@pytest.mark.parametrize(("name", "count", "triggers"), [("CONLL", 1840, 11_086), ("BC5CDR", 761, 3_818)])
def test_joined_blocks_are_the_sentences_of_the_sample(corpora: Path, name: str, count: int, triggers: int) -> None:
    """`train_20` holds the same sentences, with all their entities at once."""
    joined = read_file(corpora / "triggerner" / name / "trigger_20.txt")
    sample = read_file(corpora / "triggerner" / name / "train_20.txt")
    assert not joined.repairs
    assert [(s.tokens, s.tags) for s in joined.sentences] == [(s.tokens, s.tags) for s in sample.sentences]
    assert len(joined.sentences) == count
    assert sum(len(sentence.triggers) for sentence in joined.sentences) == triggers
    explained = {(id(s), trigger.entity) for s in joined.sentences for trigger in s.triggers}
    assert len(explained) == sum(len(sentence.spans) for sentence in joined.sentences)
