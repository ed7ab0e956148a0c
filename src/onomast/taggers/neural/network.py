"""One encoder and named heads as one module: what they predict, the gold they learn from, their joint loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from onomast.corpus import Corpus
from onomast.errors import DataError
from onomast.layers.heads import UNKNOWN, CRFHead, Head, SentenceHead, SoftmaxHead
from onomast.recipe import EntityHead, Neural, Part, Recipe
from onomast.sentence import Sentence
from onomast.taggers.neural.lstm_encoder import PerLanguage, of_language
from onomast.tags import TagScheme
from onomast.training.optimizers import ParameterGroup


class Prepared(Protocol):
    """A batch as an encoder wants it."""

    @property
    def language(self) -> int:
        """Place of the batch's language in the encoder's `languages`."""
        ...


class Encoder(Protocol):
    """What turns sentences into hidden vectors; every encoder is an nn.Module that fulfils it."""

    width: int
    """Of a hidden vector."""
    languages: tuple[str, ...]
    """Languages met in training, the target's first."""

    def start(self, sentences: Sequence[Sentence]) -> None:
        """Get to know the sentences of a training in one fixed order, so that a resumed one does as the first did."""
        ...

    def groups(self, sentences: Sequence[Sentence]) -> list[list[int]]:
        """Indices of sentences that may be read together."""
        ...

    def lengths(self, sentences: Sequence[Sentence]) -> list[int]:
        """How long each sentence is to this encoder: sentences of like length waste little padding together."""
        ...

    def prepare(self, sentences: Sequence[Sentence]) -> Any:
        """Look the words of B sentences (each of one token or more) up: a `Prepared`."""
        ...

    def __call__(self, inputs: Any) -> tuple[Tensor, Tensor]:
        """What `prepare` gave -> hidden vectors (B, T, D) and mask (B, T)."""
        ...

    def parts_of(self, name: Part) -> list[nn.Module]:
        """The modules that a recipe's name of a part means. Raises RecipeError where there is no such part."""
        ...

    def parameter_groups(self) -> Mapping[str, ParameterGroup]:
        """Parameters, by name, that do not learn at the recipe's rate."""
        ...

    def fresh(self) -> Encoder:
        """The same encoder with its first weights, or others like them."""
        ...

    def known(self) -> dict[str, Any]:
        """What it knows by name, for vocabulary.json."""
        ...

    def fixed(self) -> dict[str, Tensor]:
        """Tensors to save that are no weights."""
        ...

    def save(self, folder: Path) -> list[str]:
        """Write what else it needs into a model folder; returns the names of the files."""
        ...


@dataclass(frozen=True)
class Targets:
    """What the heads predict: names in the order of their ids. An empty tuple: no such head."""

    scheme: TagScheme
    pos: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    """Sentence labels."""


@dataclass(frozen=True)
class Gold:
    """The annotation of one sentence, as ids of `Targets`; -1 where there is none."""

    entities: Tensor
    """(T,) ids where every token is annotated, else bool (T, K): the tags each token may have."""
    pos: Tensor
    """(T,)"""
    label: int


Batch = tuple[Sequence[Sentence], Sequence[Gold]]


class Network(nn.Module):
    """Encoder and heads. The heads of the recipe with a weight above 0 are there, under their names."""

    def __init__(self, encoder: Encoder, targets: Targets, settings: Neural, weights: Tensor | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.targets = targets
        self.scheme = targets.scheme
        self.weights = {
            "entities": settings.heads.entities.weight,
            "pos": settings.heads.pos,
            "sentence": settings.heads.sentence,
        }
        self.head_rate = settings.pretrained.head_rate
        languages = encoder.languages
        entities = [
            _entity_head(encoder.width, targets.scheme, settings.heads.entities, weights)
            for _ in (languages if "transitions" not in settings.sharing else languages[:1])
        ]
        heads: dict[str, nn.Module] = {"entities": PerLanguage(entities) if len(entities) > 1 else entities[0]}
        if targets.pos:
            heads["pos"] = SoftmaxHead(width=encoder.width, tags=len(targets.pos))
        if targets.labels:
            heads["sentence"] = SentenceHead(width=encoder.width, labels=len(targets.labels))
        self.heads = nn.ModuleDict(heads)

    def parts_of(self, name: Part) -> list[nn.Module]:
        """The modules that a recipe's name of a part means."""
        return list(self.heads.values()) if name == "heads" else self.encoder.parts_of(name)

    def parameter_groups(self) -> dict[str, ParameterGroup]:
        """Parameters, by name, that do not learn at the recipe's rate."""
        slow = {f"encoder.{name}": group for name, group in self.encoder.parameter_groups().items()}
        return (
            {name: slow.get(name, ParameterGroup(self.head_rate)) for name, _ in self.named_parameters()}
            if slow
            else {}
        )

    def head(self, name: str, language: int = 0) -> Head:
        """The head of this name (entities, pos or sentence), as the language at this place of the vocabulary has it."""
        head: Head = of_language(self.heads[name], language)  # type: ignore[assignment]
        return head

    def loss(self, sentences: Sequence[Sentence], gold: Sequence[Gold], only: str | None = None) -> Tensor:
        """() weighted sum of the heads' losses on a batch, or the loss of one head alone."""
        return self.losses([(sentences, gold)], only)[0]

    def losses(self, batches: Sequence[Batch], only: str | None = None) -> list[Tensor]:
        """The losses of several batches, () each; they are encoded together where they may be."""
        sentences = [sentence for batch, _ in batches for sentence in batch]
        gold = [one for _, golds in batches for one in golds]
        numbers = [number for number, (batch, _) in enumerate(batches) for _ in batch]  # the batch of each sentence
        totals = [torch.zeros(()) for _ in batches]
        for places in self.encoder.groups(sentences):
            inputs = self.encoder.prepare([sentences[place] for place in places])
            hidden, mask = self.encoder(inputs)  # (B, T, D), (B, T)
            for number in sorted({numbers[place] for place in places}):
                rows = [row for row, place in enumerate(places) if numbers[place] == number]
                first, end = rows[0], rows[-1] + 1  # neighbours, as `sentences` are in the order of the batches
                chosen = [gold[places[row]] for row in rows]
                length = int(mask[first:end].sum(1).max())
                part = hidden[first:end, :length], mask[first:end, :length]
                share = len(rows) / len(batches[number][0])
                totals[number] = totals[number] + share * self._loss(*part, chosen, inputs.language, only)
        return totals

    def _loss(self, hidden: Tensor, mask: Tensor, gold: Sequence[Gold], language: int, only: str | None) -> Tensor:
        """() of sentences with these hidden vectors."""
        device = hidden.device
        names = list(self.heads) if only is None else [only]
        total: Tensor = hidden.new_zeros(())
        for name in names:
            if name == "sentence":
                target = torch.tensor([one.label for one in gold], device=device)  # (B,)
            elif name == "pos":
                target = _padded([one.pos for one in gold], UNKNOWN).to(device)  # (B, T)
            else:
                target = self._entities([one.entities for one in gold]).to(device)  # (B, T) or (B, T, K)
            weight = 1.0 if only else self.weights[name]
            loss: Tensor = self.head(name, language).loss(hidden, target, mask)
            total = total + weight * loss
        return total

    def _entities(self, gold: list[Tensor]) -> Tensor:
        """Ids (B, T) if every sentence is fully annotated, else allowed tags (B, T, K); softmax takes ids with -1."""
        if all(one.dtype != torch.bool for one in gold):
            return _padded(gold, UNKNOWN)
        if isinstance(self.head("entities"), SoftmaxHead):
            return _padded([_certain(one) for one in gold], UNKNOWN)
        sets = [
            one if one.dtype == torch.bool else nn.functional.one_hot(one, len(self.scheme.tags)).bool() for one in gold
        ]
        allowed: Tensor = nn.utils.rnn.pad_sequence(sets, batch_first=True, padding_value=True)
        return allowed


def targets_of(recipe: Recipe, corpus: Corpus, class_only: Iterable[Sentence]) -> Targets:
    """What the training sentences annotate and the recipe's heads want.

    Raises DataError for a head whose annotation is missing.
    """
    heads = recipe.neural.heads
    pos = corpus.pos_labels if heads.pos else ()
    labels: tuple[str, ...] = ()
    if heads.sentence or recipe.neural.training.pretrain_epochs:
        everything = (*corpus.train, *class_only, *(s for source in corpus.sources for s in source.train))
        labels = tuple(sorted({sentence.label for sentence in everything if sentence.label is not None}))
    for wanted, found, what in ((heads.pos, pos, "part-of-speech tags"), (heads.sentence, labels, "sentence labels")):
        if wanted and not found:
            raise DataError(
                f"recipe {recipe.name} learns {what}, but the training sentences carry none; "
                "check that the columns were read as meant (`onomast describe`), or take another recipe",
                path=corpus.name,
            )
    return Targets(TagScheme(corpus.labels, recipe.scheme), pos, labels)


def gold_of(sentence: Sentence, targets: Targets) -> Gold:
    """Ids of the sentence's annotation. Raises OnomastError for an entity label that is not among the targets."""
    tags = sentence.tags if sentence.tags is not None else (None,) * len(sentence)
    if None in tags or sentence.unannotated:
        entities = torch.from_numpy(targets.scheme.allowed(tags, sentence.unannotated))  # (T, K)
    else:
        entities = torch.tensor(targets.scheme.encode(tags))  # (T,)
    pos_ids = {name: index for index, name in enumerate(targets.pos)}
    pos = [pos_ids.get(name, UNKNOWN) for name in sentence.pos or ()] or [UNKNOWN] * len(sentence)
    known = sentence.label in targets.labels and sentence.label is not None
    return Gold(
        entities, torch.tensor(pos), targets.labels.index(sentence.label) if known and sentence.label else UNKNOWN
    )


def tag_weights(settings: EntityHead, gold: Sequence[Gold], tags: int) -> Tensor | None:
    """(K,) weights of the tags by their inverse frequency (or its root), 1 on average over the annotated tokens."""
    if settings.class_weights == "none":
        return None
    counts: Counter[int] = Counter(int(tag) for one in gold if one.entities.dtype != torch.bool for tag in one.entities)
    frequency = np.array([counts.get(tag, 0) + 1 for tag in range(tags)], np.float64)
    weights = 1 / frequency if settings.class_weights == "inverse" else 1 / np.sqrt(frequency)
    return torch.tensor(weights * frequency.sum() / (weights * frequency).sum(), dtype=torch.float32)


def _entity_head(width: int, scheme: TagScheme, settings: EntityHead, weights: Tensor | None) -> nn.Module:
    if settings.kind == "softmax":
        return SoftmaxHead(width=width, tags=len(scheme.tags), class_weights=weights, focal=settings.focal)
    return CRFHead(
        width=width,
        legal=torch.from_numpy(scheme.transitions),
        starts=torch.tensor(scheme.starts),
        ends=torch.tensor(scheme.ends),
        beta=settings.beta if settings.kind == "bernoulli" else 0.0,
        wrong=settings.wrong,
    )


def _padded(rows: list[Tensor], value: int) -> Tensor:
    """(B, T) from B rows of ids."""
    padded: Tensor = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)
    return padded


def _certain(entities: Tensor) -> Tensor:
    """(T,) ids; -1 where more than one tag is allowed."""
    if entities.dtype != torch.bool:
        return entities
    return torch.where(entities.sum(1) == 1, entities.int().argmax(1), UNKNOWN)


def names(targets: Targets) -> Mapping[str, tuple[str, ...]]:
    """Targets as plain data, for tags.json."""
    return {"labels": targets.scheme.labels, "pos": targets.pos, "sentence_labels": targets.labels}
