"""A word segmenter that is learnt: pieces of words (character clusters), each labelled as begin or inside by a CRF.

For scripts without spaces between words. Kruengkrai et al. (2020, section 3.3) cut Thai like this, with CRFsuite.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Self

import regex

from onomast.data.segmented_text import SegmentedLine
from onomast.data.tokenize import SEGMENTERS, Segmenter, TextSpan, named_segmenter, units
from onomast.errors import DataError, ModelError, OnomastError, nearest
from onomast.files import atomic_path
from onomast.recipe import Linear
from onomast.taggers.linear.crfsuite import Instance, read_model, train
from onomast.taggers.linear.features import clean
from onomast.taggers.model_folder import TAGS, seal, unseal

BEGIN, INSIDE = "B", "I"
SETTINGS = Linear(algorithm="lbfgs", c1=0.2, c2=0.05, max_iterations=60)
_MODEL = "model.crfsuite"
_KIND = "segmenter"
_EDGE = "\n"  # stands for the places before the first and after the last piece
_REACH = 3  # pieces on each side that a piece sees

# One letter for each kind of character, in any script; Thai vowels written before their consonant are `w`.
_KINDS = tuple(
    (letter, regex.compile(pattern))
    for letter, pattern in (
        ("w", r"\p{InPC=Visual_Order_Left}"),
        ("v", r"\p{InSC=Vowel_Dependent}|\p{InSC=Vowel_Independent}|\p{InSC=Vowel}"),
        ("t", r"\p{InSC=Tone_Mark}"),
        ("k", r"\p{InSC=Consonant_Killer}|\p{InSC=Pure_Killer}"),
        ("c", r"\p{InSC=Consonant}"),
        ("d", r"\p{Nd}"),
        ("m", r"\p{M}"),
        ("u", r"\p{Lu}"),
        ("l", r"\p{L}"),
        ("p", r"\p{P}"),
    )
)


@dataclass(frozen=True)
class SegmenterSummary:
    """How a training went."""

    lines: int
    words: int
    pieces: int
    hidden: int
    """Word borders inside a piece, which no segmenter of these pieces can find."""
    features: int
    seconds: float

    def __str__(self) -> str:
        found = f"{self.lines:,} lines, {self.words:,} words, {self.pieces:,} pieces"
        return f"{found} ({self.hidden:,} word borders inside one), {self.features:,} features in {self.seconds:.1f} s"


class WordSegmenter:
    """Cuts text into words as a training text was cut. Call it with a text; spans of the text come back."""

    def __init__(self, model: bytes) -> None:
        """Take a model file of CRFsuite. Raises ValueError saying what is wrong with it."""
        self._model = model
        weights = read_model(model)
        if not set(weights.tags) <= {BEGIN, INSIDE} or BEGIN not in weights.tags:
            raise ValueError(f"{_MODEL} has the tags {', '.join(weights.tags)}; expected {BEGIN} and {INSIDE}")
        # Of two tags only the difference counts: one number for each feature.
        signs = [1.0 if tag == BEGIN else -1.0 for tag in weights.tags]
        columns, values, starts = weights.columns.tolist(), weights.values.tolist(), weights.starts.tolist()
        self._begins = {
            name: sum(signs[columns[at]] * values[at] for at in range(starts[row], starts[row + 1]))
            for name, row in weights.rows.items()
        }
        place = {tag: index for index, tag in enumerate(weights.tags)}
        self._steps = {
            (before, after): float(weights.transitions[place[before], place[after]])
            if before in place and after in place
            else 0.0
            for before in (BEGIN, INSIDE)
            for after in (BEGIN, INSIDE)
        }

    def __call__(self, text: str) -> list[TextSpan]:
        """The words, as spans: in order, disjoint, and everything that shows is in one of them."""
        words: list[TextSpan] = []
        for run in runs_of(units(text)):
            for begins, (start, end) in zip(self._labels([text[slice(*piece)] for piece in run]), run, strict=True):
                if begins:
                    words.append((start, end))
                else:
                    words[-1] = (words[-1][0], end)
        return words

    def _labels(self, run: Sequence[str]) -> list[bool]:
        """Does a word begin at each piece? The best path, the first piece being a begin."""
        if len(run) == 1:
            return [True]
        weight = self._begins.get
        scores = [sum(weight(name, 0.0) for name in names) for names in features_of(run)]
        return best_path(scores, self._steps)

    def save(self, folder: str | Path) -> None:
        """Write `model.crfsuite`, and `tags.json` with its checksum."""
        folder = Path(folder)
        with atomic_path(folder / _MODEL) as path:
            path.write_bytes(self._model)
        seal(folder, {"kind": _KIND, "tags": [BEGIN, INSIDE]}, [_MODEL])

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a saved segmenter. Raises ModelError when a file is missing, damaged or not of a segmenter."""
        folder = Path(folder)
        described = unseal(folder, ()) if (folder / TAGS).is_file() else {}
        if described.get("kind") != _KIND:
            raise ModelError("there is no segmenter in it; expected a folder of `onomast segment train`", folder=folder)
        unseal(folder, (_MODEL,))
        try:
            return cls((folder / _MODEL).read_bytes())
        except ValueError as error:
            raise ModelError(f"it cannot be used: {error}; train again", folder=folder) from None


def find_segmenter(name: str) -> Segmenter:
    """The segmenter of this name, or the learned one in this folder. Raises OnomastError, ModelError for the folder."""
    if name in SEGMENTERS:
        return named_segmenter(name)
    if Path(name).is_dir():
        return WordSegmenter.load(name)
    raise OnomastError(
        f"there is no segmenter {name!r}, nor a folder of `onomast segment train`; {nearest(name, SEGMENTERS)}"
    )


def train_segmenter(
    lines: Iterable[SegmentedLine], settings: Linear = SETTINGS, seed: int = 0
) -> tuple[WordSegmenter, SegmenterSummary]:
    """Learn from text whose words are known. Raises DataError when there is nothing to learn."""
    began = time.perf_counter()
    counts = {"lines": 0, "words": 0, "pieces": 0, "hidden": 0, INSIDE: 0}

    def instances() -> Iterator[Instance]:
        for line in lines:
            cut = units(line.text)
            starts = {start for start, _ in line.words}
            counts["lines"] += 1
            counts["words"] += len(starts)
            counts["pieces"] += len(cut)
            counts["hidden"] += len(starts - {start for start, _ in cut})
            for run in runs_of(cut):
                tags = [BEGIN, *(BEGIN if start in starts else INSIDE for start, _ in run[1:])]
                counts[INSIDE] += tags.count(INSIDE)
                yield features_of([line.text[slice(*piece)] for piece in run]), tags

    model, _ = train(_filled(instances()), settings, seed)
    if not counts[INSIDE]:
        raise DataError(
            f"{counts['words']:,} words, none of more than one piece; expected words of a script without spaces"
        )
    segmenter = WordSegmenter(model)
    return segmenter, SegmenterSummary(
        counts["lines"], counts["words"], counts["pieces"], counts["hidden"], len(segmenter._begins),
        time.perf_counter() - began,
    )  # fmt: skip


def _filled(instances: Iterator[Instance]) -> Iterator[Instance]:
    empty = True
    for instance in instances:
        empty = False
        yield instance
    if empty:
        raise DataError("there is no line to learn from; expected text cut into words")


def runs_of(cut: Sequence[TextSpan]) -> Iterator[Sequence[TextSpan]]:
    """The stretches of pieces that nothing parts, white space least of all; each is a sequence of its own."""
    first = 0
    for place, ((_, end), (start, _)) in enumerate(pairwise(cut), 1):
        if end != start:
            yield cut[first:place]
            first = place
    if cut:
        yield cut[first:]


def features_of(run: Sequence[str]) -> list[list[str]]:
    """For each piece: the pieces around it alone and together, and of which kinds of characters they are made."""
    edge = [_EDGE] * _REACH
    around = [*edge, *map(clean, run), *edge]
    kinds = [*edge, *map(kinds_of, run), *edge]
    features = []
    for at in range(_REACH, _REACH + len(run)):
        a, b, c, d, e, f = around[at - 3 : at + 3]  # a word begins between c and d
        m, n, o, p, q, r = kinds[at - 3 : at + 3]
        features.append(
            [
                f"b{b}", f"c{c}", f"d{d}", f"e{e}",
                f"ab{a}\t{b}", f"bc{b}\t{c}", f"cd{c}\t{d}", f"de{d}\t{e}", f"ef{e}\t{f}", f"ce{c}\t{e}", f"bd{b}\t{d}",
                f"abc{a}\t{b}\t{c}", f"bcd{b}\t{c}\t{d}", f"cde{c}\t{d}\t{e}", f"def{d}\t{e}\t{f}",
                f"op{o}\t{p}", f"nop{n}\t{o}\t{p}", f"opq{o}\t{p}\t{q}", f"nopq{n}\t{o}\t{p}\t{q}",
                f"mnop{m}\t{n}\t{o}\t{p}", f"opqr{o}\t{p}\t{q}\t{r}",
                f"xy{c[-1]}\t{d[0]}",
            ]
        )  # fmt: skip
    return features


@lru_cache(50_000)
def kinds_of(piece: str) -> str:
    """The kinds of the characters of a piece, runs of one kind as one: `เก็` -> `wcv`, `Oslo` -> `ul`."""
    kinds: list[str] = []
    for character in piece:
        kind = next((letter for letter, pattern in _KINDS if pattern.match(character)), character)
        if kinds[-1:] != [kind]:
            kinds.append(kind)
    return clean("".join(kinds))


def best_path(scores: Sequence[float], steps: dict[tuple[str, str], float]) -> list[bool]:
    """Viterbi of two tags: is the tag of each place BEGIN? The first is.

    `scores`: what BEGIN has at each place beyond INSIDE. `steps`: scores of pairs of tags, from and to.
    """
    stay, enter = steps[BEGIN, BEGIN], steps[INSIDE, BEGIN]
    leave, remain = steps[BEGIN, INSIDE], steps[INSIDE, INSIDE]
    begin, inside = 0.0, float("-inf")
    origins: list[tuple[bool, bool]] = []  # was the tag before BEGIN, if this one is BEGIN, or INSIDE?
    for score in scores[1:]:
        from_begin, from_inside = begin + stay, inside + enter
        into_begin, into_inside = begin + leave, inside + remain
        origins.append((from_begin >= from_inside, into_begin >= into_inside))
        begin, inside = max(from_begin, from_inside) + score, max(into_begin, into_inside)
    path = [begin >= inside]
    for of_begin, of_inside in reversed(origins):
        path.append(of_begin if path[-1] else of_inside)
    path.reverse()
    return path
