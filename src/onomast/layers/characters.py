"""Character encoders: each distinct word of a batch is encoded once, then handed to the tokens that are that word."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from onomast.layers.last_states import LastStates
from onomast.layers.reversal import reversal


class CharacterLSTM(nn.Module):
    """Encode a word as the last states of an LSTM in both directions (Lample et al. 2016).

    `characters` counts ids, 0 is padding; `vector_width` is one character's; `hidden` one direction's. `dropout` is a
    ready part for the character vectors, (2, N, vector_width) for N characters read in two directions; `width`, what
    comes out, is 2 * hidden.
    """

    def __init__(
        self, *, characters: int, vector_width: int = 25, hidden: int = 25, dropout: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.width = 2 * hidden
        self.dropout = dropout
        self.table = nn.Embedding(characters, vector_width, padding_idx=0)
        self.rightward = nn.LSTM(vector_width, hidden)
        self.leftward = nn.LSTM(vector_width, hidden)

    def forward(self, characters: Tensor, lengths: Tensor, words: Tensor) -> Tensor:
        """characters (W, C) and lengths (W,) of W distinct words; words (B, T), each token's row -> (B, T, width)."""
        states, ranks = self._by_length(characters, lengths)
        return nn.functional.embedding(ranks[words], states)

    def encode(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """characters (W, C), lengths (W,), at least 1 -> (W, width)."""
        states, ranks = self._by_length(characters, lengths)
        return states[ranks]

    def _by_length(self, characters: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The vectors (W, width), longest word first, and the place of each word among them (W,)."""
        with torch.autocast(characters.device.type, enabled=False):  # the written-out gradient is of one precision
            return self._swept(characters, lengths)

    def _swept(self, characters: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        lengths, order = lengths.sort(descending=True, stable=True)
        characters = characters[order]
        mask = torch.arange(characters.shape[1], device=lengths.device) < lengths[:, None]
        counts = [count for count in mask.sum(0).tolist() if count]
        rightward = characters.T[mask.T]  # (N,): all first characters, then all second ones ...
        leftward = characters.gather(1, reversal(mask)).T[mask.T]
        inputs, recurrent, bias = self._weights()
        ids = torch.stack([rightward, leftward])  # (2, N)
        if self.dropout is not None and self.training:
            gates = torch.baddbmm(bias, self.dropout(self.table(ids)), inputs)  # (2, N, 4H)
        else:  # every character once, then looked up
            tables = torch.baddbmm(bias, self.table.weight.expand(2, -1, -1), inputs)  # (2, ids, 4H)
            ids[1] += tables.shape[1]
            gates = nn.functional.embedding(ids, tables.flatten(0, 1))
        states: Tensor = LastStates.apply(gates, recurrent, counts)  # type: ignore[no-untyped-call]
        return states.transpose(0, 1).flatten(1), order.argsort()

    def _weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Both directions' weights for LastStates: input (2, E, 4H), recurrent (2, H, 4H), bias (2, 1, 4H)."""
        doubled = self.table.weight.new_ones(4, self.width // 2)
        doubled[2] = 2.0
        doubled = doubled.flatten()
        stacked = [
            torch.stack(pair) for pair in zip(self.rightward.all_weights[0], self.leftward.all_weights[0], strict=True)
        ]
        inputs, recurrent, input_bias, state_bias = stacked
        bias = (input_bias + state_bias)[:, None]
        return inputs.transpose(1, 2) * doubled, recurrent.transpose(1, 2) * doubled, bias * doubled


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
