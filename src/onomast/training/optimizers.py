"""The recipe's optimiser and its parameter groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from onomast.recipe import Training


@dataclass(frozen=True)
class ParameterGroup:
    """How a parameter learns where that differs from the rest; equal ones form a group of the optimiser."""

    rate: float = 1.0
    """Its learning rate, as a multiple of the recipe's."""
    decays: bool = True
    """Whether weight decay applies to it."""


def optimizer_of(
    named: Mapping[str, nn.Parameter], parameter_groups: Mapping[str, ParameterGroup], settings: Training
) -> torch.optim.Optimizer:
    """The recipe's optimiser; each of its groups holds its `rate_factor`, the multiple of the learning rate.

    `fused`: one pass over the weights instead of one for each operation.
    """
    together: dict[ParameterGroup, list[nn.Parameter]] = {}
    for name, parameter in named.items():
        together.setdefault(parameter_groups.get(name, ParameterGroup()), []).append(parameter)
    rate, decay = settings.learning_rate, settings.weight_decay
    groups = [
        {"params": parameters, "rate_factor": group.rate, "weight_decay": decay if group.decays else 0.0}
        for group, parameters in together.items()
    ]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=settings.momentum, fused=True)
    if settings.optimizer == "adadelta":
        return torch.optim.Adadelta(groups, lr=rate)
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=rate, fused=True)
    return torch.optim.Adam(groups, lr=rate, fused=True)
