"""The Trigger Matching Network (Lin et al. 2020): sentences and triggers as vectors, their distance, and attention.

What attention of `attention.py` does for a sentence alone, `QueryAttention` does for a sentence and a query beside it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_EPSILON = 1e-9  # under the root, whose gradient has no value at 0


class StructuredAttention(nn.Module):
    """Pool token vectors into one of width G (Lin et al. 2017): `g = mean_r softmax(w_r . tanh(W1 U h_i)) . (U h_i)`.

    `U` (G, D) narrows the token vectors; `W1` (inner, G) and the R rows `w_r` of `W2` (R, inner), one for each hop,
    have no bias. `inner` is G / 2.
    """

    def __init__(self, *, width: int, output: int, hops: int) -> None:
        super().__init__()
        self.width = output
        self.narrow = nn.Linear(width, output)
        self.inner = nn.Linear(output, max(1, output // 2), bias=False)
        self.hops = nn.Linear(max(1, output // 2), hops, bias=False)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """hidden (B, T, D), mask (B, T) bool, True for the tokens to pool, one or more in each row -> (B, G)."""
        narrow = self.narrow(hidden)  # (B, T, G)
        scores = self.hops(torch.tanh(self.inner(narrow)))  # (B, T, R)
        weights = scores.masked_fill(~mask[:, :, None], -torch.inf).softmax(1)
        pooled: Tensor = (weights.mean(2)[:, None] @ narrow)[
            :, 0
        ]  # (B, 1, T) @ (B, T, G): the mean over hops is linear
        return pooled


class QueryAttention(nn.Module):
    """Put beside each token vector its share of the attention: `[h_i ; alpha_i h_i]`.

    `alpha = softmax_i(v . tanh(W1 h_i + W2 g))` for a query g of width `query`. The output is twice as wide.
    """

    def __init__(self, *, width: int, query: int) -> None:
        super().__init__()
        self.width = 2 * width
        self.tokens = nn.Linear(width, query)
        self.query = nn.Linear(query, query)
        self.scores = nn.Linear(query, 1, bias=False)

    def weights(self, hidden: Tensor, query: Tensor, mask: Tensor) -> Tensor:
        """hidden (B, T, D), query (B, G), mask (B, T) bool -> alpha (B, T), 0 at padding."""
        scores = self.scores(torch.tanh(self.tokens(hidden) + self.query(query)[:, None]))[:, :, 0]  # (B, T)
        weights: Tensor = scores.masked_fill(~mask, -torch.inf).softmax(1)
        return weights

    def forward(self, hidden: Tensor, query: Tensor, mask: Tensor) -> Tensor:
        """hidden (B, T, D), query (B, G), mask (B, T) bool -> (B, T, 2 D)."""
        return torch.cat([hidden, hidden * self.weights(hidden, query, mask)[:, :, None]], 2)


def contrastive_loss(first: Tensor, second: Tensor, same: Tensor, margin: float = 1.0) -> Tensor:
    """Mean over pairs of `1/2 [y d^2 + (1 - y) max(0, margin - d)^2]`, d the distance of the two (Hadsell et al. 2006).

    first (N, G), second (N, G), same (N,) bool: y -> ().
    """
    squared = (first - second).square().sum(1)  # (N,)
    apart = (margin - (squared + _EPSILON).sqrt()).clamp_min(0).square()
    return 0.5 * torch.where(same, squared, apart).mean()


def nearest_mean(queries: Tensor, vectors: Tensor, k: int) -> Tensor:
    """The mean of the k rows of `vectors` (N, G) with the smallest distance to each of `queries` (B, G): (B, G).

    All N where k is larger.
    """
    distances = torch.cdist(queries, vectors, compute_mode="donot_use_mm_for_euclid_dist")  # (B, N)
    nearest = distances.topk(min(k, len(vectors)), dim=1, largest=False).indices  # (B, k)
    return vectors[nearest].mean(1)
