"""The number format of matrix products in training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def product_precision(setting: str, device: torch.device) -> Iterator[None]:
    """Compute products as the recipe's `precision` says, for the time of the block; see `recipe.Training`."""
    automatic = setting == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported()
    with torch.autocast(device.type, torch.bfloat16, enabled=automatic or setting == "bf16"):
        yield
