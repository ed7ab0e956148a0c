"""From ids to vectors: word vectors, hashed features, and the concatenation of all that stands for a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from onomast.layers.dropout import WordDropout

Tuning = Literal["tuned", "frozen", "projected"]


class Part(Protocol):
    """A module of a Concatenation: some tensors in, (B, T, width) out."""

    width: int

    def __call__(self, *inputs: Tensor) -> Tensor: ...


def random_vectors(*, count: int, width: int) -> Tensor:
    """Make word vectors (count, width) of unit variance per row: uniform in +-sqrt(3 / width); row 0, padding, is 0."""
    bound = (3.0 / width) ** 0.5
    vectors = torch.empty(count, width).uniform_(-bound, bound)
    vectors[0] = 0.0
    return vectors


class WordEmbedding(nn.Module):
    """Look up word vectors (V, E): `tuned`, `frozen`, or frozen and `projected`, `x = W e` (joint labelling, 2.1).

    `width` is the width of what comes out: E, or `projected_width` if given and `tuning` is `projected`.
    """

    def __init__(
        self,
        *,
        vectors: Tensor,
        tuning: Tuning = "tuned",
        projected_width: int | None = None,
        dropout: WordDropout | None = None,
    ) -> None:
        super().__init__()
        if tuning == "tuned":
            vectors = vectors.clone()
        self.table = nn.Embedding(len(vectors), vectors.shape[1], padding_idx=0, _weight=vectors)
        self.table.weight.requires_grad_(tuning == "tuned")
        self.dropout = dropout
        self.width: int = vectors.shape[1]
        self.projection: nn.Linear | None = None
        if tuning == "projected":
            self.width = projected_width or self.width
            self.projection = nn.Linear(vectors.shape[1], self.width, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) ids, 0 for padding -> (B, T, width)."""
        return self.project(self.table(ids if self.dropout is None else self.dropout(ids)))

    def project(self, vectors: Tensor) -> Tensor:
        """Treat vectors from elsewhere (such as those of unseen words) as the table's: (..., E) -> (..., width)."""
        if self.projection is None:
            return vectors
        projected: Tensor = self.projection(vectors)
        return projected


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


class Concatenation(nn.Module):
    """Put the vectors of several parts side by side, in a given order; a name may come twice (BCRF, tables 4 and 5).

    `parts` are (name, module) in that order, a module of its own for every occurrence; the name says which inputs it
    reads. `width` is the sum of theirs.
    """

    def __init__(self, *, parts: Sequence[tuple[str, nn.Module]]) -> None:
        super().__init__()
        self.names = tuple(name for name, _ in parts)
        self.parts = nn.ModuleList(module for _, module in parts)
        self.width: int = sum(module.width for _, module in parts)  # type: ignore[misc]

    def forward(self, inputs: Mapping[str, tuple[Tensor, ...]]) -> Tensor:
        """inputs: name -> the arguments of that name's parts -> (B, T, width)."""
        return torch.cat([part(*inputs[name]) for name, part in zip(self.names, self.parts, strict=True)], -1)
