"""The head of masked-language modelling: which sub-word stood here? (Devlin et al. 2019, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MaskedHead(nn.Module):
    """A dense layer, GELU, a norm, and the product with the encoder's own embeddings."""

    def __init__(self, *, width: int, embedding: int, vocabulary: int, epsilon: float = 1e-12) -> None:
        super().__init__()
        self.dense = nn.Linear(width, embedding)
        self.norm = nn.LayerNorm(embedding, eps=epsilon)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, hidden: Tensor, embeddings: Tensor) -> Tensor:
        """Hidden vectors (M, D) at masked places and embeddings (V, E) -> (M, V) scores."""
        return nn.functional.linear(self.norm(nn.functional.gelu(self.dense(hidden))), embeddings, self.bias)
