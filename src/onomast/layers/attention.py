"""Attention over the hidden vectors of a sentence, added to them or in their place (joint labelling, section 2.2).

The paper's equations 4 to 7; both modules keep the width and never look at padding.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Scale = Literal["scaled", "unscaled", "learned"]


class SoftAttention(nn.Module):
    """Weigh each token by itself: `H' = H + H * a`, `a = a~ / sum a~`, `a~ = sigmoid(w2 tanh(W3 H + b3) + b2)`.

    `residual` False leaves out the `H +`; `dropout` is a ready part for the attention output before it.
    """

    def __init__(self, *, width: int, residual: bool = True, dropout: nn.Module | None = None) -> None:
        super().__init__()
        self.residual = residual
        self.dropout = dropout
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, 1)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """hidden (B, T, D), mask (B, T) bool -> (B, T, D)."""
        weights = self.outer(torch.tanh(self.inner(hidden))).sigmoid() * mask[:, :, None]  # (B, T, 1)
        return _joined(hidden, hidden * (weights / weights.sum(1, keepdim=True)), self.dropout, self.residual)


class SelfAttention(nn.Module):
    """Multi-head self-attention: `H' = H + concat(head_1..n) W`, `head = softmax(Q K^T / alpha) V`.

    alpha is `sqrt(D / heads)` (`scaled`), 1 (`unscaled`), or `learned`, one for each query token t:
    `delta_t = min(relu(w4 h_t + b4), sqrt(D / heads)) + 1`. As in the paper, Q, K, V and W have no bias.

    `residual` False leaves out the `H +`; `dropout` is a ready part for the attention output before it.
    """

    def __init__(
        self,
        *,
        width: int,
        heads: int = 8,
        scale: Scale = "learned",
        residual: bool = True,
        dropout: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"heads: {heads} do not divide a width of {width}; expected a divisor of it")
        self.heads = heads
        self.residual = residual
        self.dropout = dropout
        self.bound = (width / heads) ** 0.5
        self.scale = scale
        self.queries_keys_values = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.temperature = nn.Linear(width, 1) if scale == "learned" else None

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """hidden (B, T, D), mask (B, T) bool, a real token in each row -> (B, T, D)."""
        batch, length, width = hidden.shape
        split = self.queries_keys_values(hidden).view(batch, length, 3, self.heads, width // self.heads)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)  # (B, heads, T, D / heads) each
        queries = queries / self._alpha(hidden)
        mixed = nn.functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask[:, None, None, :], scale=1.0
        )
        attended = self.output(mixed.transpose(1, 2).reshape(batch, length, width))
        return _joined(hidden, attended, self.dropout, self.residual)

    def _alpha(self, hidden: Tensor) -> Tensor:
        """The divisor of each query's scores: broadcasts with (B, heads, T, D / heads)."""
        if self.temperature is None:
            return hidden.new_tensor(self.bound if self.scale == "scaled" else 1.0)
        learned: Tensor = self.temperature(hidden).relu().clamp_max(self.bound) + 1  # (B, T, 1)
        return learned[:, None]


def _joined(hidden: Tensor, attended: Tensor, dropout: nn.Module | None, residual: bool) -> Tensor:
    if dropout is not None:
        attended = dropout(attended)
    return hidden + attended if residual else attended
