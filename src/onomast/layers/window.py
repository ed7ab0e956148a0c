"""What a window-based tagger sees: the vectors of a token's neighbours side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Window(nn.Module):
    """Concatenate, for each token, the vectors at `positions` relative to it; zeros beyond the sentence."""

    def __init__(self, *, width: int, positions: Sequence[int]) -> None:
        super().__init__()
        self.positions = tuple(positions)
        self.width = width * len(self.positions)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """vectors (B, T, D), mask (B, T) bool -> (B, T, width)."""
        vectors = vectors.masked_fill(~mask[:, :, None], 0.0)
        length = vectors.shape[1]
        reach = max(abs(position) for position in self.positions)
        padded = nn.functional.pad(vectors, (0, 0, reach, reach))  # (B, T + 2 reach, D)
        shifted = [padded[:, reach + position : reach + position + length] for position in self.positions]
        return torch.cat(shifted, -1)
