"""Reading sentences of unequal length backwards, padding left in place."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def reversal(mask: Tensor) -> Tensor:
    """(B, T): where each token stands in its sentence read backwards; padding stays in place. Its own inverse."""
    steps = torch.arange(mask.shape[1], device=mask.device)
    return torch.where(mask, mask.sum(1, keepdim=True) - 1 - steps, steps)


def reordered(values: Tensor, order: Tensor) -> Tensor:
    """Take the tokens of values (B, T, D) in the order (B, T)."""
    batch, length = order.shape
    rows = order + length * torch.arange(batch, device=order.device)[:, None]
    # Whole rows at once, and so for the gradient: several times faster than gather.
    return nn.functional.embedding(rows, values.reshape(batch * length, -1))
