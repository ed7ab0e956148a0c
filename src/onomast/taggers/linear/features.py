"""Feature templates of the linear tagger: sentence -> strings per token.

What depends on one word alone (`of_word`) is kept apart from what depends on the sentence (`of_sentence`), so that
the tagger computes the former once per distinct word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from onomast.errors import DataError
from onomast.recipe import Features
from onomast.sentence import Sentence
from onomast.taggers.linear.gazetteers import WordList
from onomast.taggers.linear.vector_features import VectorFeatures
from onomast.taggers.word_shape import shape_of

_CLUSTER_PREFIXES = (4, 6, 10)
_EDGE = "edge"  # stands for the places before the first and after the last token


@dataclass(frozen=True)
class FeatureExtractor:
    """Turns sentences into the strings that CRFsuite learns weights for."""

    templates: Features
    lists: Sequence[WordList] = ()
    clusters: Mapping[str, str] = field(default_factory=dict)
    """Word -> cluster."""
    vectors: VectorFeatures | None = None
    """Gives words features with values, which are not among the strings of `of_word`."""

    @cached_property
    def window(self) -> tuple[int, ...]:
        """The P positions, relative to a token, whose words give it features of their own."""
        positions = {position for positions, _ in self._word_templates("") for position in positions}
        positions |= {-1, 1} if self.templates.position else set()
        return tuple(sorted(positions | (set() if self.vectors is None else self.vectors.window)))

    @property
    def sees_sentences(self) -> bool:
        """Does `of_sentence` ever give anything?"""
        templates = self.templates
        return bool(templates.bigrams or templates.shape_bigrams or templates.pos or self.lists)

    def of_word(self, word: str | None) -> tuple[tuple[str, ...], ...]:
        """P tuples: the features that a token gets when `word` stands at each position of the window.

        `None` is the place before the first and after the last token.
        """
        if word is None:
            return tuple((f"{position}|{_EDGE}",) if self.templates.position else () for position in self.window)
        found: dict[int, list[str]] = {position: [] for position in self.window}
        for positions, names in self._word_templates(clean(word)):
            for position in positions:
                found[position] += [f"{position}|{name}" for name in names]
        return tuple(map(tuple, found.values()))

    def names_of_word(self, word: str | None) -> list[str]:
        """What `of_word` gives, once and without the positions: `word=Oslo` for `-1|word=Oslo` and `0|word=Oslo`."""
        if word is None:
            return [_EDGE] if self.templates.position else []
        return [name for _, names in self._word_templates(clean(word)) for name in names]

    def of_sentence(self, sentence: Sentence) -> list[list[str]]:
        """T lists: features of more than one word, of POS tags, and of word lists.

        Raises DataError when the templates use POS tags and the sentence has none.
        """
        templates = self.templates
        found: list[list[str]] = [[] for _ in sentence.tokens]
        if templates.bigrams or templates.shape_bigrams:
            words = list(map(clean, sentence.tokens))
            _add_sequences(found, "low", [word.lower() for word in words], templates.bigrams)
            _add_sequences(found, "shape", [shape_of(word, fine=True) for word in words], templates.shape_bigrams)
        if templates.pos:
            if sentence.pos is None:
                raise DataError(
                    "the sentence has no part-of-speech tags; the recipe's `linear.features.pos` needs them; "
                    "add a POS column, or set linear.features.pos=[]",
                    path=sentence.source,
                )
            _add_sequences(found, "pos", [clean(pos) for pos in sentence.pos], [(place,) for place in templates.pos])
        for words_of in self.lists:
            for features, mark in zip(found, words_of.match(sentence.tokens), strict=True):
                if mark:
                    features.append(f"list={words_of.name}")
                    features.append(f"list={words_of.name}|{mark}")
        return found

    def _word_templates(self, word: str) -> Iterator[tuple[tuple[int, ...], list[str]]]:
        """Pairs: the positions at which the word gives features, and the names of those features."""
        templates = self.templates
        if templates.word:
            yield templates.word, [f"word={word}"]
        if templates.lower:
            yield templates.lower, [f"low={word.lower()}"]
        if templates.shape:
            yield templates.shape, [f"shape={shape_of(word, fine=True)}"]
        if templates.prefix or templates.suffix:
            affixes = [f"pre={word[:size]}" for size in range(1, min(templates.prefix, len(word)) + 1)]
            affixes += [f"suf={word[-size:]}" for size in range(1, min(templates.suffix, len(word)) + 1)]
            yield templates.affix_window, affixes
        marks = []
        if templates.digits and any(map(str.isdigit, word)):
            marks += ["digits", "digit"] if word.isdigit() else ["digit"]
        if templates.hyphen and "-" in word:
            marks.append("hyphen")
        yield (0,), marks
        if templates.clusters is not None:
            cluster = self.clusters.get(word) or self.clusters.get(word.lower())
            names = [] if cluster is None else [f"cluster={cluster[:size]}|{size}" for size in _CLUSTER_PREFIXES]
            yield templates.cluster_window, names if cluster is None else [f"cluster={cluster}", *names]


def clean(text: str) -> str:
    """Text that CRFsuite can hold: no NUL (it ends strings) and no lone surrogates (they are no UTF-8)."""
    if text.isprintable():
        return text
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def _add_sequences(found: list[list[str]], name: str, values: list[str], sequences: Iterable[Sequence[int]]) -> None:
    """Add to each of T lists the values at some positions, taken together."""
    for positions in sequences:
        reach = max(map(abs, positions))
        padded = [_EDGE] * reach + values + [_EDGE] * reach
        columns = [padded[reach + position : reach + position + len(values)] for position in positions]
        start = f"[{','.join(map(str, positions))}]{name}="  # not to be taken for a feature of one word
        for features, parts in zip(found, zip(*columns, strict=True), strict=True):
            features.append(start + " ".join(parts))
