"""A bidirectional LSTM that padding cannot reach, and ways to initialise what contains one.

Each direction is an nn.LSTM over the padded batch, the leftward one over reversed sentences: on a CPU that takes
oneDNN's fused kernel, which packed sequences do not. Without a gradient, on many sentences, `read` does less: it
skips padding, and what the inputs add to the gates is computed once per distinct word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from onomast.layers.reversal import reordered, reversal

_MANY = 100  # sentences from which reading each distinct word's vector once outweighs the fused kernel


class BiLSTM(nn.Module):
    """Read sentences in both directions: (B, T, width) -> (B, T, 2 * hidden).

    `hidden` is the width of one direction; `dropout` is a ready part used between layers.
    """

    def __init__(self, *, width: int, hidden: int, layers: int = 1, dropout: nn.Module | None = None) -> None:
        super().__init__()
        self.width = 2 * hidden
        self.dropout = dropout
        widths = [width, *([self.width] * (layers - 1))]
        self.rightward = nn.ModuleList(nn.LSTM(each, hidden, batch_first=True) for each in widths)
        self.leftward = nn.ModuleList(nn.LSTM(each, hidden, batch_first=True) for each in widths)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """inputs (B, T, width), mask (B, T) bool, real tokens first -> (B, T, 2 * hidden), 0 at padding."""
        order = reversal(mask)
        hidden = inputs
        for index, (rightward, leftward) in enumerate(zip(self.rightward, self.leftward, strict=True)):
            if index and self.dropout is not None:
                hidden = self.dropout(hidden)
            right, _ = rightward(hidden)
            left, _ = leftward(reordered(hidden, order))
            hidden = torch.cat([right, reordered(left, order)], -1)
        return hidden.masked_fill(~mask[:, :, None], 0.0)

    def read(self, words: Tensor, places: Tensor, mask: Tensor) -> Tensor:
        """What `forward` makes of words[places], up to rounding: words (W, width), places (B, T), mask (B, T).

        For tagging: dropout is left out, and large batches on a CPU have no gradient.
        """
        if words.is_cuda or torch.is_grad_enabled() or len(mask) < _MANY:
            hidden: Tensor = self(nn.functional.embedding(places, words), mask)
            return hidden
        tokens, counts = _by_step(mask)  # (2, N)
        vectors, rows = words, places.flatten()[tokens]
        for layer in zip(self.rightward, self.leftward, strict=True):
            states = [_swept(vectors, row, part, counts) for row, part in zip(rows, layer, strict=True)]  # (N, H) each
            vectors, rows = vectors.new_zeros(mask.numel(), self.width), tokens
            for half, state, where in zip(vectors.chunk(2, 1), states, tokens, strict=True):
                half[where] = state
        return vectors.view(*mask.shape, -1)


def _by_step(mask: Tensor) -> tuple[Tensor, list[int]]:
    """Which tokens are read at each step: (2, N) places in the flat batch for both directions, and how many a step.

    The longest sentence comes first, so those that still run at a step are the first ones of the step before.
    """
    lengths, order = mask.sum(1).sort(descending=True, stable=True)
    steps = torch.arange(mask.shape[1], device=mask.device)[:, None]
    running = steps < lengths  # (T, B)
    first = order * mask.shape[1]
    tokens = torch.stack([first + steps, first + lengths - 1 - steps])  # (2, T, B)
    return tokens[:, running], [count for count in running.sum(1).tolist() if count]


def _swept(vectors: Tensor, rows: Tensor, lstm: nn.Module, counts: list[int]) -> Tensor:
    """The states (N, H) of one direction that reads vectors (R, E) in the order rows (N,), counts[t] of them at t."""
    inputs, recurrent, input_bias, state_bias = lstm.parameters()
    width = recurrent.shape[1]
    scale = recurrent.new_ones(4, width)
    scale[2] = 2.0  # tanh x = 2 sigmoid(2 x) - 1, so one sigmoid serves all gates
    scale = scale.flatten()
    gates = torch.addmm((input_bias + state_bias) * scale, vectors, inputs.T * scale)  # (R, 4H)
    weights = recurrent.T * scale  # (H, 4H)
    states = vectors.new_empty(len(rows), width)
    cells = vectors.new_zeros(counts[0], width)
    past = None
    for row, state in zip(torch.split(rows, counts), torch.split(states, counts), strict=True):
        acts = gates.index_select(0, row)
        if past is not None:
            acts.addmm_(past[: len(row)], weights)
        enter, forget, new, leave = acts.sigmoid_().chunk(4, 1)
        cell = cells[: len(row)].mul_(forget).addcmul_(enter, new.mul_(2).sub_(1))
        torch.mul(leave, torch.mul(cell, 2).sigmoid_().mul_(2).sub_(1), out=state)
        past = state
    return states


def initialise_uniform(module: nn.Module) -> None:
    """Draw every trained parameter from U(-0.1, 0.1) (joint labelling, 3.2)."""
    for parameter in module.parameters():
        if parameter.requires_grad:
            nn.init.uniform_(parameter, -0.1, 0.1)


def initialise_orthogonal(module: nn.Module) -> None:
    """Make the LSTMs' recurrent weights orthogonal, input weights Glorot-uniform, biases 0 and 1 for forget gates."""
    for part in module.modules():
        if not isinstance(part, nn.LSTM):
            continue
        for name, parameter in part.named_parameters():
            if name.startswith("weight"):
                draw = nn.init.orthogonal_ if "_hh_" in name else nn.init.xavier_uniform_
                for gate in parameter.data.chunk(4):
                    draw(gate)
            else:
                nn.init.zeros_(parameter)
                if "_ih_" in name:
                    parameter.data[part.hidden_size : 2 * part.hidden_size] = 1.0


def initialise_default(module: nn.Module) -> None:
    """Leave PyTorch's own initial values."""


INITIALISERS: Mapping[str, Callable[[nn.Module], None]] = {
    "default": initialise_default,
    "uniform": initialise_uniform,
    "orthogonal": initialise_orthogonal,
}
