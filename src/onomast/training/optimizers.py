"""The recipe's optimiser, and how fast each parameter learns in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from onomast.recipe import Training


@dataclass(frozen=True)
class Pace:
    """How a parameter learns, where not as the recipe says of all."""

    rate: float = 1.0
    """Its learning rate, as a multiple of the recipe's."""
    decays: bool = True
    """Whether weight decay reaches it."""


def optimizer_of(
    named: Mapping[str, nn.Parameter], paces: Mapping[str, Pace], settings: Training
) -> torch.optim.Optimizer:
    """The recipe's optimiser; each of its groups has its `pace`, the multiple of the learning rate.

    `fused`: one pass over the weights instead of one for each operation.
    """
    together: dict[Pace, list[nn.Parameter]] = {}
    for name, parameter in named.items():
        together.setdefault(paces.get(name, Pace()), []).append(parameter)
    rate, decay = settings.learning_rate, settings.weight_decay
    groups = [
        {"params": group, "pace": pace.rate, "weight_decay": decay if pace.decays else 0.0}
        for pace, group in together.items()
    ]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=settings.momentum, fused=True)
    if settings.optimizer == "adadelta":
        return torch.optim.Adadelta(groups, lr=rate)
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=rate, fused=True)
    return torch.optim.Adam(groups, lr=rate, fused=True)
