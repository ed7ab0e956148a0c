"""The stages of a fit: what each learns from, what learns in it, and what it says of itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from onomast.corpus import Corpus
from onomast.recipe import Part, Recipe, Stage, Training, to_toml
from onomast.sentence import Sentence
from onomast.taggers.neural.network import Gold, Network, gold_of
from onomast.taggers.neural.source_batches import SourceBatches, chain_of, sentences_of
from onomast.training.loop import Task, train
from onomast.training.optimizers import ParameterGroup


@dataclass(frozen=True)
class DevEvaluator:
    """What a network is measured by, on the dev sentences."""

    score: Callable[[], Mapping[str, float]] = dict
    """Figures of the network as it is; empty without dev sentences."""
    minimum_f1: Callable[[], float] = float
    """F1 of a word list."""


@dataclass(frozen=True)
class StageRunner:
    """All that a chain of stages needs."""

    recipe: Recipe
    corpus: Corpus
    class_only: Sequence[Sentence]
    """Sentences with a label of their own and no tags."""
    network: Network
    fresh: Callable[[], Network]
    """Builds the network anew, with other first weights."""
    evaluator: DevEvaluator
    checkpoints: Path | None

    def run(self) -> list[dict[str, Any]]:
        """Train stage after stage; rows of figures, one an epoch, with the stage's name where there are several."""
        settings = self.recipe.neural.training
        rows: list[dict[str, Any]] = []
        if settings.pretrain_epochs:
            rows += [{"stage": "pretrain", **row} for row in self._pretrain(settings)]
        stages = chain_of(self.recipe, self.corpus)
        for number, stage in enumerate(stages, start=1):
            name = f"{number} {'mlm ' if stage.task == 'mlm' else ''}{'+'.join(stage.corpus)}"
            found = self._stage(stage, f"stage-{number}" if len(stages) > 1 else "")
            rows += [{"stage": name, **row} if len(stages) > 1 else row for row in found]
        return rows

    def _pretrain(self, settings: Training) -> list[dict[str, Any]]:
        """The sentence head alone, on every sentence that has a label (joint labelling, section 3.3)."""
        sentences = [sentence for sentence in (*self.corpus.train, *self.class_only) if sentence.label is not None]
        settings = replace(
            settings,
            epochs=settings.pretrain_epochs,
            steps=0,
            schedule="constant",
            select="last",
            dev="none",
            rescue_after=0,
        )
        return self._train(
            LabelledTask(self.network, sentences, self.evaluator, only="sentence", precision=settings.precision),
            settings,
            "pretrain",
        )

    def _stage(self, stage: Stage, folder: str) -> list[dict[str, Any]]:
        if stage.task == "mlm":
            return self._masked(stage, folder)
        settings = self.recipe.neural.training
        if stage.epochs or stage.steps:
            settings = replace(settings, epochs=max(1, stage.epochs), steps=stage.steps)
        if stage.learning_rate:
            settings = replace(settings, learning_rate=stage.learning_rate)
        self._reset(stage.reset)
        joint = "joint" in stage.corpus
        beside = SourceBatches(self.corpus.sources, self.recipe.sources) if joint and self.corpus.sources else None
        learnt_from = sentences_of(stage, self.corpus)
        task = LabelledTask(self.network, learnt_from, self.evaluator, beside=beside, precision=settings.precision)
        with _frozen(self.network, stage.frozen):
            return self._train(task, settings, folder)

    def _masked(self, stage: Stage, folder: str) -> list[dict[str, Any]]:
        """The encoder alone, on text without labels."""
        from onomast.taggers.neural.masked_lm_stage import masked_stage

        self._reset(stage.reset)
        masked = masked_stage(self.network, stage, self.corpus, self.recipe)
        with _frozen(self.network, stage.frozen):
            return self._train(masked.task, masked.settings, folder, masked.digest)

    def _reset(self, parts: Sequence[Part]) -> None:
        if not parts:
            return
        fresh = self.fresh()
        for name in parts:
            for old, new in zip(self.network.parts_of(name), fresh.parts_of(name), strict=True):
                old.load_state_dict(new.state_dict())

    def _train(self, task: Task, settings: Training, folder: str, more: str = "") -> list[dict[str, Any]]:
        """Run the loop; `more` names what is learnt from beside the corpus."""
        where = self.checkpoints / folder if self.checkpoints else None
        run = _fingerprint(self.recipe, (*self.corpus.train, *self.corpus.dev, *self.class_only), self.corpus.sources)
        return train(task, settings, seed=self.recipe.seed, run=run + more, folder=where)


class LabelledTask:
    """A `training.Task`: these sentences, this network, and perhaps batches of sources beside them."""

    def __init__(
        self,
        network: Network,
        sentences: Sequence[Sentence],
        evaluator: DevEvaluator,
        *,
        only: str | None = None,
        beside: SourceBatches | None = None,
        precision: str = "auto",
    ) -> None:
        self.module = network
        self.sentences = sentences
        self.lengths = network.encoder.lengths(sentences)
        self.score, self.minimum_f1 = evaluator.score, evaluator.minimum_f1
        self.only = only
        """Train one head alone."""
        self.beside = beside
        self.precision = precision
        """Of the products, see `recipe.Training`."""
        self._gold: dict[int, Gold] = {}

    def parameter_groups(self) -> Mapping[str, ParameterGroup]:
        """Parameters, by name, that do not learn at the recipe's rate."""
        return self.module.parameter_groups()

    def loss(self, indices: Sequence[int], done: float) -> Tensor:
        """() loss of these sentences, plus mu times that of one batch of a source."""
        mu = self.beside.weight(done) if self.beside else 0.0
        batches = [[self.sentences[index] for index in indices]]
        if self.beside and mu:
            batches.append(self.beside.draw())
        with _in_precision(self.precision, next(self.module.parameters()).device):
            losses = self.module.losses(
                [(batch, [self._gold_of(sentence) for sentence in batch]) for batch in batches], self.only
            )
        return losses[0] + mu * losses[1] if len(losses) > 1 else losses[0]

    def _gold_of(self, sentence: Sentence) -> Gold:
        """The sentence's gold, looked up once; the sentence itself lives as long as this object."""
        found = self._gold.get(id(sentence))
        if found is None:
            found = self._gold[id(sentence)] = gold_of(sentence, self.module.targets)
        return found


@contextmanager
def _frozen(network: Network, names: Sequence[Part]) -> Iterator[None]:
    """Keep these parts from learning, for the time of the block."""
    parameters = [
        parameter
        for name in names
        for part in network.parts_of(name)
        for parameter in part.parameters()
        if parameter.requires_grad
    ]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def _fingerprint(recipe: Recipe, sentences: Sequence[Sentence], sources: Sequence[Corpus]) -> str:
    """Names a run: checkpoints of another recipe or other sentences must not be resumed from."""
    digest = hashlib.sha256(to_toml(recipe).encode())
    everything = [*sentences, *(sentence for source in sources for sentence in source.train)]
    for one in everything:
        seen = (one.tokens, one.tags, one.pos, one.label, one.language, one.unannotated)
        digest.update(repr(seen).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


@contextmanager
def _in_precision(wished: str, device: torch.device) -> Iterator[None]:
    """Compute products in what the recipe wishes; see `recipe.Training.precision`."""
    automatic = wished == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported()
    with torch.autocast(device.type, torch.bfloat16, enabled=automatic or wished == "bf16"):
        yield
