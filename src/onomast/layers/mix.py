"""A learnt mix of an encoder's layers (Peters et al. 2018, formula 1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ScalarMix(nn.Module):
    """`scale * sum_j softmax(weights)_j hidden_j` over `layers` layers; at first their mean."""

    def __init__(self, *, layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, hidden: Sequence[Tensor]) -> Tensor:
        """As many tensors of one shape as there are layers -> one of that shape."""
        shares = self.weights.softmax(0)
        mixed: Tensor = self.scale * sum(share * one for share, one in zip(shares, hidden, strict=True))
        return mixed
