"""Reading sentences of unequal length backwards, padding left in place."""

from __future__ import annotations

import torch
from torch import Tensor


def reversal(mask: Tensor) -> Tensor:
    """(B, T): where each token stands in its sentence read backwards; padding stays in place. Its own inverse."""
    steps = torch.arange(mask.shape[1], device=mask.device)
    return torch.where(mask, mask.sum(1, keepdim=True) - 1 - steps, steps)


def reordered(values: Tensor, order: Tensor) -> Tensor:
    """Take the tokens of values (B, T, D) in the order (B, T)."""
    return values.gather(1, order[:, :, None].expand(values.shape))
