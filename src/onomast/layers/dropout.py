"""Dropout over words and over whole features; ordinary dropout is torch's nn.Dropout."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LockedDropout(nn.Module):
    """Drop the same features at every token of a sentence (variational dropout, Gal and Ghahramani 2016)."""

    def __init__(self, *, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        if not self.training or self.probability == 0.0:
            return hidden
        kept = torch.empty_like(hidden[:, :1]).bernoulli_(1 - self.probability)  # (B, 1, D)
        return hidden * (kept / (1 - self.probability))
