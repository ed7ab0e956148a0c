"""One encoder and its heads as one module, and their joint loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from onomast.errors import RecipeError
from onomast.layers.heads import Head
from onomast.recipe import Neural, Part
from onomast.sentence import Sentence
from onomast.taggers.neural.encoder import Encoder, grouped_by_language, of_language
from onomast.taggers.neural.heads import Gold, Targets, scheme_of
from onomast.training.optimizers import ParameterGroup

Batch = tuple[Sequence[Sentence], Sequence[Gold]]


class Network(nn.Module):
    """An encoder, and a head for each of the targets, under its name.

    `train`: sentences whose tag frequencies the recipe's class weights are computed from.
    """

    def __init__(self, encoder: Encoder, targets: Targets, settings: Neural, train: Sequence[Sentence] = ()) -> None:
        super().__init__()
        self.encoder = encoder
        self.targets = targets
        self.scheme = scheme_of(targets)
        self.weights = {name: target.weight(settings.heads) for name, target in targets.items()}
        self.head_rate = settings.pretrained.head_rate
        self.heads = nn.ModuleDict(
            {name: target.head(encoder.width, encoder.languages, settings, train) for name, target in targets.items()}
        )

    def parts_of(self, name: Part) -> list[nn.Module]:
        """The modules that the name of a part in a recipe stands for. Raises RecipeError if there is no such part."""
        parts = {**self.encoder.named_parts(), "heads": list(self.heads.values())}
        if name not in parts:
            raise RecipeError(
                f"the encoder of this recipe has no part {name!r}; expected {', '.join(parts)}", key="stage"
            )
        return list(parts[name])

    def parameter_groups(self) -> dict[str, ParameterGroup]:
        """Parameters, by name, that do not learn at the recipe's rate."""
        groups = {f"encoder.{name}": group for name, group in self.encoder.parameter_groups().items()}
        if not groups:
            return {}
        return {name: groups.get(name, ParameterGroup(self.head_rate)) for name, _ in self.named_parameters()}

    def head(self, name: str, language: int = 0) -> Head:
        """The head of this name, as the language with this index in the encoder's `languages` has it."""
        head: Head = of_language(self.heads[name], language)  # type: ignore[assignment]
        return head

    def losses(self, batches: Sequence[Batch], only: str | None = None) -> list[Tensor]:
        """() for each batch: the weighted sum of its heads' losses, or the loss of the head `only`.

        Sentences of all batches are encoded together where their languages allow it.
        """
        sentences = [sentence for batch, _ in batches for sentence in batch]
        gold = [one for _, golds in batches for one in golds]
        numbers = [number for number, (batch, _) in enumerate(batches) for _ in batch]  # the batch of each sentence
        weights = self.weights if only is None else {only: 1.0}
        totals = [torch.zeros(()) for _ in batches]
        for indices in grouped_by_language(self.encoder, sentences):
            inputs = self.encoder.prepare([sentences[index] for index in indices])
            hidden, mask = self.encoder(inputs)  # (B, T, D), (B, T)
            for number in sorted({numbers[index] for index in indices}):
                rows = [row for row, index in enumerate(indices) if numbers[index] == number]
                first, end = rows[0], rows[-1] + 1  # neighbours, as `sentences` are in the order of the batches
                length = int(mask[first:end].sum(1).max())
                vectors, real = hidden[first:end, :length], mask[first:end, :length]
                total: Tensor = hidden.new_zeros(())
                for name, weight in weights.items():
                    target = self.targets[name].batch([gold[indices[row]][name] for row in rows])
                    loss = self.head(name, inputs.language).loss(vectors, target.to(hidden.device), real)
                    total = total + weight * loss
                totals[number] = totals[number] + len(rows) / len(batches[number][0]) * total
        return totals
