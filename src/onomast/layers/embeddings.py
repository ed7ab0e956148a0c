"""From ids to vectors: first word vectors and hashed features."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn


def random_vectors(*, count: int, width: int) -> Tensor:
    """Make word vectors (count, width) of unit variance per row: uniform in +-sqrt(3 / width); row 0, padding, is 0."""
    bound = (3.0 / width) ** 0.5
    vectors = torch.empty(count, width).uniform_(-bound, bound)
    vectors[0] = 0.0
    return vectors


class HashedEmbedding(nn.Module):
    """Look up F features per word (affixes, shape), each hashed into its own `buckets` rows; sum or concatenate.

    `width` is what comes out: `vector_width` for `sum`, F times that for `concatenate`.
    """

    def __init__(
        self, *, features: int, buckets: int, vector_width: int, combine: Literal["sum", "concatenate"] = "sum"
    ) -> None:
        super().__init__()
        self.buckets = buckets
        self.combine = combine
        self.width = vector_width if combine == "sum" else features * vector_width
        self.table = nn.Embedding(features * buckets, vector_width)
        self.register_buffer("offsets", torch.arange(features) * buckets, persistent=False)

    offsets: Tensor

    def forward(self, hashes: Tensor, words: Tensor) -> Tensor:
        """hashes (W, F), any int64, of W distinct words; words (B, T), the row of each token -> (B, T, width)."""
        return nn.functional.embedding(words, self.encode(hashes))

    def encode(self, hashes: Tensor) -> Tensor:
        """(W, F) -> (W, width)."""
        vectors: Tensor = self.table(hashes.remainder(self.buckets) + self.offsets)  # (W, F, vector width)
        return vectors.sum(1) if self.combine == "sum" else vectors.flatten(1)
