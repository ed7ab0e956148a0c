"""Character encoders: each distinct word of a batch is encoded once, then handed to the tokens that are that word."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from onomast.layers.last_states import LastStates
from onomast.layers.reversal import reversal


class CharacterLSTM(nn.Module):
    """Encode a word as the last states of an LSTM in both directions (Lample et al. 2016).

    `characters` counts ids, 0 is padding; `vector_width` is one character's; `hidden` one direction's. `width`, what
    comes out, is 2 * hidden.
    """

    def __init__(self, *, characters: int, vector_width: int = 25, hidden: int = 25) -> None:
        super().__init__()
        self.width = 2 * hidden
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
        lengths, order = lengths.sort(descending=True, stable=True)
        characters = characters[order]
        mask = torch.arange(characters.shape[1], device=lengths.device) < lengths[:, None]
        counts = [count for count in mask.sum(0).tolist() if count]
        recurrent, gates = self._gates()
        rightward = characters.T[mask.T]  # (N,): all first characters, then all second ones ...
        leftward = characters.gather(1, reversal(mask)).T[mask.T] + len(self.table.weight)
        states: Tensor = LastStates.apply(  # type: ignore[no-untyped-call]
            nn.functional.embedding(torch.stack([rightward, leftward]), gates), recurrent, counts
        )
        return states.transpose(0, 1).flatten(1), order.argsort()

    def _gates(self) -> tuple[Tensor, Tensor]:
        """Recurrent weights (2, H, 4H), and what each character adds to the gates of both directions (2 * ids, 4H)."""
        hidden = self.width // 2
        doubled = self.table.weight.new_ones(4, hidden)
        doubled[2] = 2.0
        doubled = doubled.flatten()
        recurrent, gates = [], []
        for lstm in (self.rightward, self.leftward):
            input_weight, state_weight, input_bias, state_bias = lstm.all_weights[0]
            recurrent.append(state_weight.T * doubled)
            gates.append(torch.addmm(input_bias + state_bias, self.table.weight, input_weight.T) * doubled)
        return torch.stack(recurrent), torch.cat(gates)


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
