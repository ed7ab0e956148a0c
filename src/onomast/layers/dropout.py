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


class TokenDropout(nn.Module):
    """Drop whole token vectors; what is kept is not rescaled."""

    def __init__(self, *, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        if not self.training or self.probability == 0.0:
            return hidden
        return hidden * torch.empty_like(hidden[:, :, :1]).bernoulli_(1 - self.probability)


class WordDropout(nn.Module):
    """Replace word ids by the id of the unknown word, so that its vector is learnt and context is relied on."""

    def __init__(self, *, probability: float, unknown: int) -> None:
        super().__init__()
        self.probability = probability
        self.unknown = unknown

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) ids -> (B, T) ids."""
        if not self.training or self.probability == 0.0:
            return ids
        return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < self.probability, self.unknown)
