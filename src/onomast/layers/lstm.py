"""A bidirectional LSTM that padding cannot reach, and ways to initialise what contains one.

Each direction is an nn.LSTM over the padded batch, the leftward one over reversed sentences: on a CPU that takes
oneDNN's fused kernel, which packed sequences do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from onomast.layers.reversal import reordered, reversal


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
