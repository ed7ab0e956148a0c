"""`onomast segment train` and `score`: from text that is cut into words to a segmenter, and how good one is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from onomast.data.catalogue import resolve
from onomast.data.segmented_text import SegmentedLine, read_segmented
from onomast.data.tokenize import Segmenter, TextSpan
from onomast.evaluation.counting import Known, fingerprint
from onomast.evaluation.report import Report, evaluate
from onomast.sentence import Sentence
from onomast.taggers.word_segmenter import WordSegmenter, train_segmenter
from onomast.tags import Tag

_WORD = "WORD"


def read_lines(files: Iterable[str], format: str | None, say: Callable[[str], object]) -> list[SegmentedLine]:
    """The lines of all files, in order, saying how each was understood. Raises DataError."""
    lines: list[SegmentedLine] = []
    for name in files:
        found = read_segmented(resolve(name), format)
        say(f"{name}: {found.guess}")
        lines += found.lines
    return lines


def train_folder(
    lines: Sequence[SegmentedLine], out: Path, say: Callable[[str], object], *, seed: int = 0
) -> WordSegmenter:
    """Learn a segmenter and save it."""
    segmenter, learning = train_segmenter(lines, seed=seed)
    segmenter.save(out)
    say(f"learnt from {learning}; saved in {out}")
    return segmenter


def score_segmenter(
    segmenter: Segmenter, lines: Sequence[SegmentedLine], train: Sequence[SegmentedLine] = ()
) -> Report:
    """Word precision, recall and F1: a word is right when it begins and ends where the gold word does.

    The scores of `evaluate`, with words for entities, characters for tokens and lines for sentences: white space is no
    word, and intervals are over lines. With `train`: words that do not occur there ("unseen"), and lines that stand
    there left out.
    """
    gold = [characters_of(line.text, line.words) for line in lines]
    predicted = [old.tagged(_tags(len(old), segmenter(line.text))) for old, line in zip(gold, lines, strict=True)]
    return evaluate(gold, predicted, train=_known(train) if train else ())


def characters_of(text: str, words: Iterable[TextSpan]) -> Sentence:
    """A sentence whose tokens are the characters of `text` and whose entities are the words."""
    return Sentence(tuple(text), tags=_tags(len(text), words))


def _tags(size: int, words: Iterable[TextSpan]) -> tuple[Tag, ...]:
    tags: list[Tag] = ["O"] * size
    for start, end in words:
        tags[start:end] = [f"B-{_WORD}", *[f"I-{_WORD}"] * (end - start - 1)]
    return tuple(tags)


def figures(report: Report) -> dict[str, Any]:
    """The report as JSON holds it: `words` of all lines, `unseen` words, words of lines `without_leaked` ones."""
    found = report.to_json()
    return {
        "signature": found["signature"],
        "lines": len(report.counts),
        "words": found["entities"]["micro"],
        "unseen": found["unseen"],
        "without_leaked": found["without_leaked"],
    }


def shown(report: Report) -> str:
    """The figures for the terminal."""
    words, (low, high) = report.micro, report.ci95
    lines = [
        f"F1 {100 * words.f1:.2f} [{100 * low:.2f}, {100 * high:.2f}]"
        f"  precision {100 * words.precision:.2f}, recall {100 * words.recall:.2f}",
        f"{words.support:,} words in {len(report.counts):,} lines",
    ]
    if report.unseen is not None and report.without_leaked is not None:
        unseen = report.unseen
        lines += [
            f"words that training does not have: F1 {100 * unseen.f1:.2f} ({unseen.support:,})",
            f"without lines that stand in training: F1 {100 * report.without_leaked.f1:.2f}",
        ]
    return "\n".join([*lines, report.signature])


def _known(lines: Iterable[SegmentedLine]) -> Known:
    """What `Known.of` gives of the same lines, without a list of all their characters."""
    texts: set[str] = set()
    words: set[str] = set()
    for line in lines:
        texts.add(line.text)
        words.update(line.text[start:end] for start, end in line.words)
    return Known(frozenset(map(fingerprint, texts)), frozenset(map(fingerprint, words)))
