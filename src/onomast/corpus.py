"""Corpus: train, dev and test sentences of one or more languages. Every operation returns a new corpus."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from onomast.errors import DataError, nearest
from onomast.sentence import Sentence
from onomast.tags import Tag, split_tag


@dataclass(frozen=True)
class Corpus:
    """Language lives on the sentence, so a joined corpus is cross-lingual training."""

    name: str
    train: tuple[Sentence, ...]
    dev: tuple[Sentence, ...] = ()
    test: tuple[Sentence, ...] = ()
    sources: tuple[Corpus, ...] = ()
    """Corpora of other languages or domains whose training sentences are learnt from too."""
    raw: tuple[Sentence, ...] = ()
    """Sentences without tags, for self-training."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Entity labels of the training sentences, sorted; those of the sources where there is no entity in them."""
        found = {split_tag(tag)[1] for sentence in self.train for tag in set(sentence.tags or ())} - {""}
        return tuple(sorted(found or {label for source in self.sources for label in source.labels}))

    @property
    def pos_labels(self) -> tuple[str, ...]:
        """Part-of-speech tags of the training sentences, sorted."""
        return tuple(sorted({pos for sentence in self.train for pos in sentence.pos or ()}))

    @property
    def sentence_labels(self) -> tuple[str, ...]:
        """Categories of the training sentences, sorted."""
        return tuple(sorted({sentence.label for sentence in self.train if sentence.label is not None}))

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages of the training sentences, sorted; sentences that name none count as `""`."""
        return tuple(sorted({sentence.language or "" for sentence in self.train}))

    def sample(self, budget: int, seed: int = 0) -> Corpus:
        """A label budget: the first `budget` sentences of a seeded shuffle of the training file, and no dev sentences.

        Budgets of one seed are nested. The test sentences stay whole. Raises DataError when there are too few.
        """
        if not 0 < budget <= len(self.train):
            raise DataError(
                f"a budget of {budget} sentences was asked of {len(self.train)} training sentences; give that or less",
                path=self.name,
            )
        return dataclasses.replace(self, train=tuple(_shuffled(self.train, seed)[:budget]), dev=())

    def split(self, fraction: float, seed: int = 0) -> Corpus:
        """Move `fraction` of the training sentences (at least one) to dev."""
        order = _shuffled(self.train, seed)
        size = max(1, round(len(order) * fraction))
        if size >= len(order):
            raise DataError(
                f"{len(order)} sentences are too few to set aside a dev share of {fraction}", path=self.name
            )
        return dataclasses.replace(self, train=tuple(order[size:]), dev=(*self.dev, *order[:size]))

    def relabel(self, mapping: Mapping[str, str]) -> Corpus:
        """Rename labels everywhere; a label mapped to `"O"` is dropped.

        Raises DataError for a mapping that names a label the corpus does not have.
        """
        known = set(self.labels)
        for label in mapping:
            if label not in known:
                raise DataError(f"label {label!r} to rename does not occur; {nearest(label, known)}", path=self.name)
        return dataclasses.replace(
            self,
            train=_relabelled(self.train, mapping),
            dev=_relabelled(self.dev, mapping),
            test=_relabelled(self.test, mapping),
        )

    def join(self, *others: Corpus) -> Corpus:
        """Training sentences of all; dev and test of this one."""
        train = (*self.train, *(sentence for other in others for sentence in other.train))
        return dataclasses.replace(self, name="+".join([self.name, *(other.name for other in others)]), train=train)


def _shuffled(sentences: Iterable[Sentence], seed: int) -> list[Sentence]:
    order = list(sentences)
    random.Random(seed).shuffle(order)
    return order


def _relabelled(sentences: Iterable[Sentence], mapping: Mapping[str, str]) -> tuple[Sentence, ...]:
    def rename(tag: Tag) -> Tag:
        prefix, label = split_tag(tag)
        if tag is None or label not in mapping:
            return tag
        return "O" if mapping[label] == "O" else f"{prefix}-{mapping[label]}"

    return tuple(
        sentence if sentence.tags is None else dataclasses.replace(sentence, tags=tuple(map(rename, sentence.tags)))
        for sentence in sentences
    )
