"""Stage 1 of the Trigger Matching Network: vectors of triggers that tell their label and lie near their sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from onomast.corpus import Corpus
from onomast.layers.trigger_matching import contrastive_loss
from onomast.recipe import Recipe, Training
from onomast.taggers.neural.network import Network
from onomast.taggers.triggers.encoder import TriggerEncoder
from onomast.taggers.triggers.instances import Instance, instances_of
from onomast.training.optimizers import ParameterGroup

_AT_ONCE = 64  # instances whose labels are predicted together


class TriggerMatcher(nn.Module):
    """What learns in stage 1: the matcher, its pooling, and a classifier of trigger vectors."""

    def __init__(self, encoder: TriggerEncoder, labels: int) -> None:
        super().__init__()
        self.encoder = encoder.matcher
        self.pooling = encoder.pooling
        self.labels = nn.Linear(encoder.settings.width, labels)


class MatchingTask:
    """A `training.Task`: `-log p(label | g_t) + contrastive`, one instance for each trigger.

    The contrastive loss pairs each trigger vector g_t with the vector g_s of its own sentence, and with that of another
    sentence of the batch where there is one. Nothing is scored.
    """

    def __init__(self, encoder: TriggerEncoder, instances: Sequence[Instance]) -> None:
        self.names = sorted({one.label for one in instances})
        self.instances = instances
        self.encoder = encoder
        self.module = TriggerMatcher(encoder, len(self.names)).to(encoder.vectors.device)
        self.lengths = encoder.lengths([one.sentence for one in instances])

    def parameter_groups(self) -> Mapping[str, ParameterGroup]:
        """Parameters, by name, that do not learn at the recipe's rate."""
        return {f"encoder.{name}": group for name, group in self.encoder.matcher.parameter_groups().items()}

    def loss(self, indices: Sequence[int], done: float) -> Tensor:  # noqa: ARG002
        """() mean loss of these instances; `done` does not matter."""
        batch = [self.instances[index] for index in indices]
        triggers, sentences = self._vectors(batch)
        gold = torch.tensor([self.names.index(one.label) for one in batch], device=triggers.device)
        other = _other_sentences([one.sentence.tokens for one in batch])
        first, second = [triggers], [sentences]
        if rows := [row for row, index in enumerate(other) if index is not None]:
            first.append(triggers[rows])
            second.append(sentences[[other[row] for row in rows]])
        same = torch.arange(len(batch) + len(rows), device=triggers.device) < len(batch)
        matching = contrastive_loss(torch.cat(first), torch.cat(second), same, self.encoder.settings.margin)
        return nn.functional.cross_entropy(self.module.labels(triggers), gold) + matching

    def score(self) -> Mapping[str, float]:
        """No figures."""
        return {}

    def minimum_f1(self) -> float:
        """0, as there is no dev F1."""
        return 0.0

    def predicted(self) -> list[str]:
        """The label of each instance, as the classifier sees it."""
        names: list[str] = []
        self.module.eval()
        with torch.no_grad():
            for start in range(0, len(self.instances), _AT_ONCE):
                triggers, _ = self._vectors(self.instances[start : start + _AT_ONCE])
                names += [self.names[index] for index in self.module.labels(triggers).argmax(1).tolist()]
        return names

    def _vectors(self, batch: Sequence[Instance]) -> tuple[Tensor, Tensor]:
        """(B, G) each: the instances' triggers, their sentences."""
        inputs = self.encoder.with_triggers([one.sentence for one in batch])
        hidden, mask = self.encoder.matcher(inputs.words)
        return self.encoder.mean_of_triggers(hidden, inputs), self.encoder.pooling(hidden, mask)


@dataclass(frozen=True)
class MatchingStage:
    """The task of stage 1 and how it is trained."""

    task: MatchingTask
    settings: Training

    def finish(self) -> None:
        """Give the encoder the triggers that sentences are compared with, now that they have vectors."""
        self.task.encoder.remember(self.task.instances, self.task.predicted())


def matching_stage(recipe: Recipe, corpus: Corpus, network: Network) -> MatchingStage:
    """Stage 1 for a network whose encoder is a TriggerEncoder. Raises DataError for a corpus without triggers."""
    encoder = network.encoder
    assert isinstance(encoder, TriggerEncoder)
    triggers = recipe.neural.triggers
    settings = replace(
        recipe.neural.training, optimizer="adam", learning_rate=triggers.learning_rate, weight_decay=0.0,
        epochs=triggers.epochs, steps=0, schedule="constant", select="last", dev="none", rescue_after=0, averaging=0.0,
    )  # fmt: skip
    return MatchingStage(MatchingTask(encoder, instances_of(recipe, corpus)), settings)


def _other_sentences(sentences: Sequence[tuple[str, ...]]) -> list[int | None]:
    """For each sentence the index of a random one that differs from it; None where all are equal."""
    chosen: list[int | None] = []
    for sentence in sentences:
        others = [index for index, other in enumerate(sentences) if other != sentence]
        chosen.append(others[int(torch.randint(len(others), ()))] if others else None)
    return chosen
