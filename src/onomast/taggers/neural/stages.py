"""The stages of a training: what each learns from, which parts learn in it, and its figures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from onomast.corpus import Corpus
from onomast.recipe import Part, Recipe, Stage, Training, to_toml
from onomast.sentence import Sentence
from onomast.taggers.neural.heads import Gold, gold_of
from onomast.taggers.neural.network import Network
from onomast.taggers.source_batches import SourceBatches, chain_of, sentences_of
from onomast.taggers.triggers.instances import once_for_each_trigger
from onomast.training.loop import Task, train
from onomast.training.optimizers import ParameterGroup
from onomast.training.precision import product_precision


@dataclass(frozen=True)
class DevEvaluator:
    """How a network is evaluated on the dev sentences during training."""

    score: Callable[[], Mapping[str, float]] = dict
    """Dev F1 and loss of the network as it is; empty without dev sentences."""
    minimum_f1: Callable[[], float] = float
    """Dev F1 of a word list of the training sentences: a network below it has diverged."""


@dataclass(frozen=True)
class _StageTraining:
    """One run of the training loop."""

    task: Task
    settings: Training
    name: str = ""
    """In the rows of figures."""
    folder: str = ""
    """Of its checkpoints, in those of the whole training."""
    frozen: tuple[Part, ...] = ()
    text_digest: str = ""
    """Of text that is learnt from beside the corpus."""


@dataclass(frozen=True)
class StageRunner:
    """Trains one network, stage after stage."""

    recipe: Recipe
    corpus: Corpus
    class_only: Sequence[Sentence]
    """Sentences with a label of their own and no tags."""
    network: Network
    rebuild: Callable[[], Network]
    """Builds the same network with new first weights, for `reset`."""
    evaluator: DevEvaluator
    checkpoints: Path | None

    def run(self) -> list[dict[str, Any]]:
        """Train stage after stage; one row of figures an epoch, with the stage's name where there are several."""
        run_name = _fingerprint(self.recipe, self.corpus, self.class_only)
        rows: list[dict[str, Any]] = []
        for stage in self._stages():
            with _frozen(self.network, stage.frozen):
                figures = train(
                    stage.task,
                    stage.settings,
                    seed=self.recipe.seed,
                    run=run_name + stage.text_digest,
                    folder=self.checkpoints / stage.folder if self.checkpoints else None,
                )
            rows += [{"stage": stage.name, **row} for row in figures] if stage.name else figures
        return rows

    def _stages(self) -> Iterator[_StageTraining]:
        """Each is prepared when the one before it has ended."""
        if self.recipe.neural.training.pretrain_epochs:
            yield self._class_pretraining()
        if self.recipe.neural.triggers.kind != "none":
            from onomast.taggers.triggers.stage import matching_stage

            matching = matching_stage(self.recipe, self.corpus, self.network)
            yield _StageTraining(matching.task, matching.settings, "triggers", "triggers")
            matching.finish()
        stages = chain_of(self.recipe, self.corpus)
        for number, stage in enumerate(stages, start=1):
            self._reset(stage.reset)
            training = self._masked(stage) if stage.task == "mlm" else self._labelled(stage)
            if len(stages) > 1:
                name = f"{number} {'mlm ' if stage.task == 'mlm' else ''}{'+'.join(stage.corpus)}"
                training = replace(training, name=name, folder=f"stage-{number}")
            yield replace(training, frozen=stage.frozen)

    def _class_pretraining(self) -> _StageTraining:
        """The sentence head alone, on every sentence that has a label (joint labelling, section 3.3)."""
        sentences = [sentence for sentence in (*self.corpus.train, *self.class_only) if sentence.label is not None]
        settings = self.recipe.neural.training
        settings = replace(
            settings, epochs=settings.pretrain_epochs, steps=0, schedule="constant", select="last", dev="none",
            rescue_after=0,
        )  # fmt: skip
        task = LabelledTask(self.network, sentences, self.evaluator, only="sentence", precision=settings.precision)
        return _StageTraining(task, settings, "pretrain", "pretrain")

    def _labelled(self, stage: Stage) -> _StageTraining:
        """All heads, on labelled sentences."""
        settings = self.recipe.neural.training
        if stage.epochs or stage.steps:
            settings = replace(settings, epochs=max(1, stage.epochs), steps=stage.steps)
        if stage.learning_rate:
            settings = replace(settings, learning_rate=stage.learning_rate)
        joint = "joint" in stage.corpus and self.corpus.sources
        source_batches = SourceBatches(self.corpus.sources, self.recipe.sources) if joint else None
        sentences = sentences_of(stage, self.corpus)
        if self.recipe.neural.triggers.kind != "none" and self.recipe.neural.triggers.examples == "trigger":
            sentences = once_for_each_trigger(sentences)
        task = LabelledTask(
            self.network, sentences, self.evaluator, source_batches=source_batches, precision=settings.precision
        )
        return _StageTraining(task, settings)

    def _masked(self, stage: Stage) -> _StageTraining:
        """The encoder alone, on text without labels."""
        from onomast.taggers.neural.masked_lm_stage import masked_stage

        masked = masked_stage(self.network, stage, self.corpus, self.recipe)
        return _StageTraining(masked.task, masked.settings, text_digest=masked.digest)

    def _reset(self, names: Sequence[Part]) -> None:
        """Give these parts new first weights."""
        if not names:
            return
        rebuilt = self.rebuild()
        for name in names:
            for old, new in zip(self.network.parts_of(name), rebuilt.parts_of(name), strict=True):
                old.load_state_dict(new.state_dict())


class LabelledTask:
    """A `training.Task`: labelled sentences for a network, and batches of sources beside them if there are any."""

    def __init__(
        self,
        network: Network,
        sentences: Sequence[Sentence],
        evaluator: DevEvaluator,
        *,
        only: str | None = None,
        source_batches: SourceBatches | None = None,
        precision: str = "auto",
    ) -> None:
        self.module = network
        self.sentences = sentences
        self.lengths = network.encoder.lengths(sentences)
        self.score, self.minimum_f1 = evaluator.score, evaluator.minimum_f1
        self.only = only
        """Train one head alone."""
        self.source_batches = source_batches
        self.precision = precision
        """See `recipe.Training`."""
        self._gold: dict[int, Gold] = {}

    def parameter_groups(self) -> Mapping[str, ParameterGroup]:
        """Parameters, by name, that do not learn at the recipe's rate."""
        return self.module.parameter_groups()

    def loss(self, indices: Sequence[int], done: float) -> Tensor:
        """() loss of these sentences, plus mu times that of one batch of a source."""
        mu = self.source_batches.weight(done) if self.source_batches else 0.0
        batches = [[self.sentences[index] for index in indices]]
        if self.source_batches and mu:
            batches.append(self.source_batches.draw())
        labelled = [(batch, [self._gold_of(sentence) for sentence in batch]) for batch in batches]
        with product_precision(self.precision, next(self.module.parameters()).device):
            losses = self.module.losses(labelled, self.only)
        return losses[0] + mu * losses[1] if len(losses) > 1 else losses[0]

    def _gold_of(self, sentence: Sentence) -> Gold:
        """The sentence's gold, computed once; the sentence itself lives as long as this object."""
        gold = self._gold.get(id(sentence))
        if gold is None:
            gold = self._gold[id(sentence)] = gold_of(sentence, self.module.targets)
        return gold


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


def _fingerprint(recipe: Recipe, corpus: Corpus, class_only: Sequence[Sentence]) -> str:
    """Names a training: checkpoints of another recipe or other sentences must not be resumed from."""
    digest = hashlib.sha256(to_toml(recipe).encode())
    sources = (sentence for source in corpus.sources for sentence in source.train)
    for one in (*corpus.train, *corpus.dev, *class_only, *sources):
        content = (one.tokens, one.tags, one.pos, one.label, one.language, one.unannotated, *one.triggers)
        digest.update(repr(content).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
