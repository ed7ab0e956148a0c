"""Character encoders: each distinct word of a batch is encoded once, then handed to the tokens that are that word."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from onomast.layers.reversal import reversal


class CharacterLSTM(nn.Module):
    """Encode a word as the last states of an LSTM in both directions (Lample et al. 2016).

    `characters` counts ids, 0 is padding; `vector_width` is one character's; `hidden` one direction's. `dropout` is a
    ready part for the character vectors (W, C, vector_width). `width`, what comes out, is 2 * hidden.
    """

    def __init__(
        self, *, characters: int, vector_width: int = 25, hidden: int = 25, dropout: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.width = 2 * hidden
        self.dropout = dropout
        self.table = nn.Embedding(characters, vector_width, padding_idx=0)
        self.rightward = nn.LSTM(vector_width, hidden, batch_first=True)
        self.leftward = nn.LSTM(vector_width, hidden, batch_first=True)

    def forward(self, characters: Tensor, lengths: Tensor, words: Tensor) -> Tensor:
        """characters (W, C) and lengths (W,) of W distinct words; words (B, T), each token's row -> (B, T, width)."""
        return nn.functional.embedding(words, self.encode(characters, lengths))

    def encode(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """characters (W, C), lengths (W,), at least 1 -> (W, width)."""
        mask = torch.arange(characters.shape[1], device=lengths.device) < lengths[:, None]
        rows = torch.arange(len(lengths), device=lengths.device)
        states = []
        for direction, ids in (
            (self.rightward, characters),
            (self.leftward, characters.gather(1, reversal(mask))),
        ):
            vectors = self.table(ids)
            outputs, _ = direction(vectors if self.dropout is None else self.dropout(vectors))  # (W, C, hidden)
            states.append(outputs[rows, lengths - 1])
        return torch.cat(states, -1)


class CharacterCNN(nn.Module):
    """Encode a word by convolutions over its characters, max-pooled over positions (Ma and Hovy 2016).

    `sizes` are the odd or even numbers of characters a filter sees; `width`, what comes out, is `filters` for each.
    """

    def __init__(
        self,
        *,
        characters: int,
        vector_width: int = 25,
        filters: int = 50,
        sizes: Sequence[int] = (3,),
        dropout: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.width = filters * len(sizes)
        self.dropout = dropout
        self.table = nn.Embedding(characters, vector_width, padding_idx=0)
        self.filters = nn.ModuleList(nn.Conv1d(vector_width, filters, size, padding=size - 1) for size in sizes)

    def forward(self, characters: Tensor, lengths: Tensor, words: Tensor) -> Tensor:
        """characters (W, C) and lengths (W,) of W distinct words; words (B, T), each token's row -> (B, T, width)."""
        return nn.functional.embedding(words, self.encode(characters, lengths))

    def encode(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """characters (W, C), lengths (W,), at least 1 -> (W, width): the maximum over every window with a character."""
        vectors = self.table(characters)
        if self.dropout is not None:
            vectors = self.dropout(vectors)
        vectors = vectors.transpose(1, 2)  # (W, vector width, C)
        pooled = []
        for convolution in self.filters:
            outputs = convolution(vectors)  # (W, filters, C + size - 1)
            windows = torch.arange(outputs.shape[2], device=lengths.device)
            beyond = windows >= lengths[:, None] + (outputs.shape[2] - characters.shape[1])
            pooled.append(outputs.masked_fill(beyond[:, None, :], -torch.inf).amax(2))
        return torch.cat(pooled, 1)
