"""The last states of two LSTMs over many short sequences, for which a general LSTM kernel spends most on padding.

Sequences come longest first and packed by step, so each step works on those that still run; the gradient is written
out, with all that does not depend on the order of steps done for every step at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class LastStates(torch.autograd.Function):
    """`LastStates.apply(gates, recurrent, counts) -> (2, W, H)`.

    gates (2, N, 4H): what the inputs and biases add to the gates, in PyTorch's order i, f, g, o, and the part of g
    doubled (tanh x = 2 sigmoid(2 x) - 1, so one sigmoid serves all); the N rows are the sequences' first steps, then
    their second steps, and so on. recurrent (2, H, 4H), g doubled too. counts[t]: how many sequences have a step t.
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, recurrent: Tensor, counts: Sequence[int]) -> Tensor:
        width = recurrent.shape[1]
        acts = torch.empty_like(gates)
        cells, tanhs, states = (gates.new_empty(*gates.shape[:2], width) for _ in range(3))
        start, before = 0, 0
        for count in counts:
            now = slice(start, start + count)
            if start:
                past = slice(before, before + count)
                torch.baddbmm(gates[:, now], states[:, past], recurrent, out=acts[:, now])
            else:
                acts[:, now] = gates[:, now]
            enter, forget, new, leave = acts[:, now].sigmoid_().chunk(4, -1)
            new.mul_(2).sub_(1)
            cell = torch.mul(enter, new, out=cells[:, now])
            if start:
                cell.addcmul_(forget, cells[:, past])
            tanh = torch.mul(cell, 2, out=tanhs[:, now]).sigmoid_().mul_(2).sub_(1)
            torch.mul(leave, tanh, out=states[:, now])
            start, before = start + count, start
        ctx.counts = counts
        ctx.save_for_backward(recurrent, acts, cells, tanhs, states)
        return states[:, _last_rows(counts, gates.device)]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        recurrent, acts, cells, tanhs, states = ctx.saved_tensors
        counts, first, width = ctx.counts, ctx.counts[0], recurrent.shape[1]
        past = _past_rows(counts, acts.device)  # the row one step earlier of every row after the first steps
        enter, forget, new, leave = acts.chunk(4, -1)
        # What a cell's gradient is multiplied by for i, f, g; what a state's is multiplied by for o and for the cell.
        by_cell = acts.view(*acts.shape[:2], 4, width)[:, :, :3].clone()
        by_cell *= 1 - by_cell  # right for i and f, overwritten for g
        by_cell[:, :, 0] *= new
        by_cell[:, :first, 1] = 0.0
        by_cell[:, first:, 1] *= cells[:, past]
        by_cell[:, :, 2] = enter * (1 - new * new) / 2
        by_state = tanhs * leave * (1 - leave)
        to_cell = leave * (1 - tanhs * tanhs)
        grown = torch.empty_like(acts)
        parts = grown.view(*acts.shape[:2], 4, width)
        back = recurrent.transpose(1, 2)
        of_state, of_cell = gradient.clone(), torch.zeros_like(gradient)  # (2, W, H), of the step at hand
        start = acts.shape[1]
        for count in reversed(counts):
            start -= count
            now = slice(start, start + count)
            state, cell = of_state[:, :count], of_cell[:, :count]
            cell.addcmul_(state, to_cell[:, now])
            torch.mul(cell[:, :, None], by_cell[:, now], out=parts[:, now, :3])
            torch.mul(state, by_state[:, now], out=parts[:, now, 3])
            if start:
                cell.mul_(forget[:, now])
                state.copy_(torch.bmm(grown[:, now], back))
        return grown, states[:, past].transpose(1, 2) @ grown[:, first:], None


def _last_rows(counts: Sequence[int], device: torch.device) -> Tensor:
    """(W,): the row of each sequence's last step."""
    sizes = torch.tensor(counts)
    rows = torch.arange(counts[0])
    lengths = (sizes[:, None] > rows).sum(0)
    return ((sizes.cumsum(0) - sizes)[lengths - 1] + rows).to(device)


def _past_rows(counts: Sequence[int], device: torch.device) -> Tensor:
    """(N - W,): for each row after the first steps, the row of the step before."""
    sizes = torch.tensor(counts)
    return (torch.arange(counts[0], int(sizes.sum())) - sizes[:-1].repeat_interleave(sizes[1:])).to(device)
