"""What the neural tagger predicts: HEADS, one class for each kind of annotation.

A class knows every step from annotation to prediction: what the training sentences annotate, the gold ids of a sentence
and of a batch, the module that is trained, and how its predictions are written into a sentence. Network and tagger loop
over HEADS. To add a head, add a class, a row at the foot of this file, and a weight to `Heads` in `recipe.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from onomast.corpus import Corpus
from onomast.errors import DataError
from onomast.layers.heads import UNKNOWN, CRFHead, SentenceHead, SoftmaxHead
from onomast.recipe import EntityHead, Heads, Neural, Recipe
from onomast.sentence import Sentence
from onomast.taggers.neural.encoder import PerLanguage
from onomast.tags import Style, TagScheme


class Target(Protocol):
    """One kind of annotation: the names that can be predicted, and how. K names."""

    key: ClassVar[str]
    """Entry of tags.json that holds the names."""
    annotation: ClassVar[str]
    """What the sentences must carry, for messages."""

    @property
    def names(self) -> tuple[str, ...]:
        """What can be predicted, in the order of the ids."""
        ...

    @staticmethod
    def weight(heads: Heads) -> float:
        """Weight of the head's loss in the total; with 0 the head is left out."""
        ...

    @classmethod
    def of_corpus(cls, recipe: Recipe, corpus: Corpus, class_only: Iterable[Sentence]) -> Self | None:
        """The names that the training sentences annotate; None if there are none, or the recipe has no such head."""
        ...

    @classmethod
    def saved(cls, names: tuple[str, ...], style: Style, recipe: Recipe) -> Self:
        """The target of a saved tagger; `style` is that of its entity tags."""
        ...

    def head(self, width: int, languages: Sequence[str], settings: Neural, train: Sequence[Sentence]) -> nn.Module:
        """A `layers.heads.Head` for hidden vectors of this width, or one `PerLanguage`; first weights are random."""
        ...

    def gold(self, sentence: Sentence) -> Tensor:
        """The sentence's annotation as ids; -1 where there is none."""
        ...

    def batch(self, gold: Sequence[Tensor]) -> Tensor:
        """The gold of B sentences, padded, as the head's loss takes it."""
        ...

    def predicted(self, sentence: Sentence, ids: Any, confidence: Any) -> Sentence:
        """The sentence with a prediction: ids and probabilities of its (padded) tokens, or of the whole sentence."""
        ...


Targets = Mapping[str, Target]
"""By the name of the head; `entities` is always there."""
Gold = Mapping[str, Tensor]
"""The annotation of one sentence, by the name of the head."""


@dataclass(frozen=True)
class EntityTags:
    """Tags of the recipe's scheme, one for each token."""

    scheme: TagScheme
    certain: bool = False
    """Whether the head needs one gold tag for each token (softmax), or can learn from a set of them (CRF)."""
    key: ClassVar[str] = "labels"
    annotation: ClassVar[str] = "entity tags"

    @property
    def names(self) -> tuple[str, ...]:
        return self.scheme.labels

    @staticmethod
    def weight(heads: Heads) -> float:
        return heads.entities.weight

    @classmethod
    def of_corpus(cls, recipe: Recipe, corpus: Corpus, class_only: Iterable[Sentence]) -> Self:  # noqa: ARG003
        return cls(TagScheme(corpus.labels, recipe.scheme), recipe.neural.heads.entities.kind == "softmax")

    @classmethod
    def saved(cls, names: tuple[str, ...], style: Style, recipe: Recipe) -> Self:
        return cls(TagScheme(names, style), recipe.neural.heads.entities.kind == "softmax")

    def head(self, width: int, languages: Sequence[str], settings: Neural, train: Sequence[Sentence]) -> nn.Module:
        weights = self._class_weights(settings.heads.entities, train)
        shared = "transitions" in settings.sharing or len(languages) < 2
        heads = [self._head(width, settings.heads.entities, weights) for _ in (languages[:1] if shared else languages)]
        return heads[0] if shared else PerLanguage(heads)

    def gold(self, sentence: Sentence) -> Tensor:
        """(T,) ids where every token is annotated, else bool (T, K): the tags that each token may have.

        Raises OnomastError for a label that is not among the scheme's.
        """
        tags = sentence.tags if sentence.tags is not None else (None,) * len(sentence)
        if None in tags or sentence.unannotated:
            return torch.from_numpy(self.scheme.allowed(tags, sentence.unannotated))
        return torch.tensor(self.scheme.encode(tags))

    def batch(self, gold: Sequence[Tensor]) -> Tensor:
        """Ids (B, T) if every sentence is fully annotated or the head needs them, else allowed tags (B, T, K)."""
        if self.certain:
            gold = [_only_allowed(tags) for tags in gold]
        if all(tags.dtype != torch.bool for tags in gold):
            return _padded(gold)
        names = len(self.scheme.tags)
        sets = [tags if tags.dtype == torch.bool else nn.functional.one_hot(tags, names).bool() for tags in gold]
        allowed: Tensor = pad_sequence(sets, batch_first=True, padding_value=True)
        return allowed

    def predicted(self, sentence: Sentence, ids: Any, confidence: Any) -> Sentence:
        length = len(sentence)
        return sentence.tagged(self.scheme.decode(ids[:length]), confidence[:length])

    def _head(self, width: int, settings: EntityHead, weights: Tensor | None) -> nn.Module:
        if settings.kind == "softmax":
            return SoftmaxHead(width=width, tags=len(self.scheme.tags), class_weights=weights, focal=settings.focal)
        return CRFHead(
            width=width,
            legal=torch.from_numpy(self.scheme.transitions),
            starts=torch.tensor(self.scheme.starts),
            ends=torch.tensor(self.scheme.ends),
            beta=settings.beta if settings.kind == "bernoulli" else 0.0,
            wrong=settings.wrong,
        )

    def _class_weights(self, settings: EntityHead, train: Sequence[Sentence]) -> Tensor | None:
        """(K,) weights of the tags by their inverse frequency (or its root), 1 on average over the annotated tokens."""
        if settings.class_weights == "none":
            return None
        gold = [tags for tags in map(self.gold, train) if tags.dtype != torch.bool]
        counts = Counter(tag for tags in gold for tag in tags.tolist())
        frequency = np.array([counts.get(tag, 0) + 1 for tag in range(len(self.scheme.tags))], np.float64)
        weights = 1 / frequency if settings.class_weights == "inverse" else 1 / np.sqrt(frequency)
        return torch.tensor(weights * frequency.sum() / (weights * frequency).sum(), dtype=torch.float32)


@dataclass(frozen=True)
class PosTags:
    """Part-of-speech tags, one for each token."""

    names: tuple[str, ...]
    key: ClassVar[str] = "pos"
    annotation: ClassVar[str] = "part-of-speech tags"

    @staticmethod
    def weight(heads: Heads) -> float:
        return heads.pos

    @classmethod
    def of_corpus(cls, recipe: Recipe, corpus: Corpus, class_only: Iterable[Sentence]) -> Self | None:  # noqa: ARG003
        return cls(corpus.pos_labels) if recipe.neural.heads.pos and corpus.pos_labels else None

    @classmethod
    def saved(cls, names: tuple[str, ...], style: Style, recipe: Recipe) -> Self:  # noqa: ARG003
        return cls(names)

    def head(self, width: int, languages: Sequence[str], settings: Neural, train: Sequence[Sentence]) -> nn.Module:  # noqa: ARG002
        return SoftmaxHead(width=width, tags=len(self.names))

    def gold(self, sentence: Sentence) -> Tensor:
        """(T,)"""
        ids = {name: index for index, name in enumerate(self.names)}
        return torch.tensor([ids.get(name, UNKNOWN) for name in sentence.pos or ()] or [UNKNOWN] * len(sentence))

    def batch(self, gold: Sequence[Tensor]) -> Tensor:
        """(B, T)"""
        return _padded(gold)

    def predicted(self, sentence: Sentence, ids: Any, confidence: Any) -> Sentence:  # noqa: ARG002
        return replace(sentence, pos=tuple(self.names[one] for one in ids[: len(sentence)]))


@dataclass(frozen=True)
class SentenceLabel:
    """One label for the whole sentence."""

    names: tuple[str, ...]
    key: ClassVar[str] = "sentence_labels"
    annotation: ClassVar[str] = "sentence labels"

    @staticmethod
    def weight(heads: Heads) -> float:
        return heads.sentence

    @classmethod
    def of_corpus(cls, recipe: Recipe, corpus: Corpus, class_only: Iterable[Sentence]) -> Self | None:
        if not recipe.neural.heads.sentence and not recipe.neural.training.pretrain_epochs:
            return None
        everything = (*corpus.train, *class_only, *(s for source in corpus.sources for s in source.train))
        names = tuple(sorted({sentence.label for sentence in everything if sentence.label is not None}))
        return cls(names) if names else None

    @classmethod
    def saved(cls, names: tuple[str, ...], style: Style, recipe: Recipe) -> Self:  # noqa: ARG003
        return cls(names)

    def head(self, width: int, languages: Sequence[str], settings: Neural, train: Sequence[Sentence]) -> nn.Module:  # noqa: ARG002
        return SentenceHead(width=width, labels=len(self.names))

    def gold(self, sentence: Sentence) -> Tensor:
        """()"""
        return torch.tensor(self.names.index(sentence.label) if sentence.label in self.names else UNKNOWN)

    def batch(self, gold: Sequence[Tensor]) -> Tensor:
        """(B,)"""
        return torch.stack(list(gold))

    def predicted(self, sentence: Sentence, ids: Any, confidence: Any) -> Sentence:  # noqa: ARG002
        return replace(sentence, label=self.names[ids])


def targets_of(recipe: Recipe, corpus: Corpus, class_only: Iterable[Sentence]) -> dict[str, Target]:
    """What the recipe's heads predict, given what the training sentences annotate; in the order of HEADS.

    `class_only`: sentences with a label of their own and no tags. Raises DataError for a head whose annotation is
    missing.
    """
    targets: dict[str, Target] = {}
    for name, kind in HEADS.items():
        target = kind.of_corpus(recipe, corpus, class_only)
        if target is not None:
            targets[name] = target
        elif kind.weight(recipe.neural.heads):
            raise DataError(
                f"recipe {recipe.name} learns {kind.annotation}, but the training sentences carry none; "
                "check that the columns were read as meant (`onomast describe`), or take another recipe",
                path=corpus.name,
            )
    return targets


def saved_targets(description: Mapping[str, Any], recipe: Recipe) -> dict[str, Target]:
    """What a saved tagger predicts, from its tags.json. Raises KeyError or TypeError for a damaged one."""
    targets: dict[str, Target] = {}
    for name, kind in HEADS.items():
        names = tuple(description.get(kind.key, ()))
        if names or name == "entities":
            targets[name] = kind.saved(names, description["style"], recipe)
    return targets


def description_of(targets: Targets) -> dict[str, Any]:
    """The entries of tags.json, with an empty list for each head that the tagger does not have."""
    names = {kind.key: targets[name].names if name in targets else () for name, kind in HEADS.items()}
    return {"style": scheme_of(targets).style, **names}


def scheme_of(targets: Targets) -> TagScheme:
    """The tag scheme of the entity head."""
    entities = targets["entities"]
    assert isinstance(entities, EntityTags)
    return entities.scheme


def gold_of(sentence: Sentence, targets: Targets) -> Gold:
    """Ids of the sentence's annotation. Raises OnomastError for an entity label that is not among the targets."""
    return {name: target.gold(sentence) for name, target in targets.items()}


def _padded(rows: Sequence[Tensor]) -> Tensor:
    """(B, T) from B rows of ids, -1 at padding."""
    padded: Tensor = pad_sequence(list(rows), batch_first=True, padding_value=UNKNOWN)
    return padded


def _only_allowed(tags: Tensor) -> Tensor:
    """(T,) ids, from ids or bool (T, K): -1 where more than one tag is allowed."""
    if tags.dtype != torch.bool:
        return tags
    return torch.where(tags.sum(1) == 1, tags.int().argmax(1), UNKNOWN)


HEADS: dict[str, type[Target]] = {"entities": EntityTags, "pos": PosTags, "sentence": SentenceLabel}
"""By the name of the head in a recipe and in the names of its weights."""
