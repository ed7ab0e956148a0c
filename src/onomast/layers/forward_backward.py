"""Forward-backward over a linear chain: log partition, marginals and conditional counts, without autograd.

Two sweeps give the same numbers. `ScaledSweep` works with rescaled probabilities, one small matrix product per token;
`LogSweep` works with logarithms and survives scores of any size. `sweep` takes the first where it is exact. Both run
the forward and the backward chain in one loop: the backward chain is a forward chain over the reversed sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from onomast.layers.reversal import reordered, reversal

# exp(-170) is about 1e-74: with every factor above it and every state above FLOOR, no product leaves float64's range.
SPREAD = 170.0
FLOOR = 1e-140
TINY = 1e-305


class Sweep(Protocol):
    """What a forward-backward pass over B sentences of at most T tokens and K tags has found."""

    @property
    def log_partition(self) -> Tensor:
        """(B,): log of the summed weights of all paths; -inf where there is no legal one."""

    @property
    def unary(self) -> Tensor:
        """(B, T, K): the probability of each tag at each token; 0 at padding."""

    def pairs(self, weight: Tensor) -> Tensor:
        """(K, K): expected number of each transition, summed over sentences weighted by `weight` (B,)."""

    def conditional(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Expected tags (B, T, K) and transitions (K, K) given one token's tag, summed over tokens and tags.

        With `source` (B, T, K), 0 at padding and at impossible tags:
        the sum over s, j of `source[s, j] * E[counts | y_s = j]`.
        """


def sweep(emissions: Tensor, mask: Tensor, transitions: Tensor, starts: Tensor, ends: Tensor) -> Sweep:
    """Run forward-backward on scores in float64; -inf marks what is illegal.

    Shapes: emissions (B, T, K), mask (B, T), transitions (K, K) from row to column, starts (K,), ends (K,).
    """
    scaled = scaled_sweep(emissions, mask, transitions, starts, ends)
    return scaled if scaled is not None else log_sweep(emissions, mask, transitions, starts, ends)


@dataclass(frozen=True, eq=False)
class ScaledSweep:
    """Rescaled probabilities, time first (T, B, K), 0 at padding: `into` before the token's emission, `out` after."""

    mask: Tensor  # (T, B, 1)
    factors: Tensor  # (K, K), exp of the transitions
    forward_into: Tensor
    forward_out: Tensor
    backward_into: Tensor
    backward_out: Tensor
    log_partition: Tensor

    @property
    def _product(self) -> tuple[Tensor, Tensor]:
        product = self.forward_out * self.backward_into  # (T, B, K)
        return product, product.sum(-1, keepdim=True)

    @property
    def unary(self) -> Tensor:
        """(B, T, K): marginals."""
        product, total = self._product
        return (product / total.clamp_min(TINY)).transpose(0, 1)

    def pairs(self, weight: Tensor) -> Tensor:
        """(K, K): weighted transition counts."""
        _, total = self._product
        left = self.forward_out[:-1] * (weight[:, None] / total[:-1].clamp_min(TINY))
        return self.factors * _outer(left, self.backward_out[1:])

    def conditional(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, K), (K, K): counts given single tags."""
        flow = source.transpose(0, 1)  # (T, B, K)
        right_of = _inverse(self.backward_into)
        left_of = _inverse(self.forward_into)
        rightward, leftward = flow.clone(), flow.clone()
        length = flow.shape[0]
        for t in range(1, length):
            rightward[t] += ((rightward[t - 1] * right_of[t - 1]) @ self.factors) * self.backward_out[t]
        for t in range(length - 2, -1, -1):
            leftward[t] += ((leftward[t + 1] * left_of[t + 1]) @ self.factors.T) * self.forward_out[t]
        counts = _outer((rightward * right_of)[:-1], self.backward_out[1:])
        counts += _outer(self.forward_out[:-1], (leftward * left_of)[1:])
        return (rightward + leftward - flow).transpose(0, 1), self.factors * counts


def scaled_sweep(
    emissions: Tensor, mask: Tensor, transitions: Tensor, starts: Tensor, ends: Tensor
) -> ScaledSweep | None:
    """Run forward-backward on rescaled probabilities; None where a number could leave float64's range."""
    peaks = [_peak(scores) for scores in (transitions.flatten(), starts, ends)]
    shifted = [scores - peak for scores, peak in zip((transitions, starts, ends), peaks, strict=True)]
    scores = emissions.masked_fill(~mask[:, :, None], 0.0)
    tops = _peak(scores)  # (B, T, 1)
    scores = scores - tops
    if min(float(_lowest(part)) for part in (*shifted, scores)) < -SPREAD:
        return None
    factors, first, last = (part.exp() for part in shifted)
    back = reversal(mask)
    weights = scores.exp()
    into, out, norms = _scaled_loop(
        torch.stack([weights, reordered(weights, back)]).permute(2, 0, 1, 3),
        torch.stack([factors, factors.T]),
        torch.stack([first, last]),
    )
    if not bool(torch.where(out > 0, out, 1.0).amin() >= FLOOR):
        return None
    real = mask.T[:, :, None]
    forward_into, forward_out = into[:, 0] * real, out[:, 0] * real
    backward_into, backward_out = (
        reordered(part[:, 1].transpose(0, 1), back).transpose(0, 1) * real for part in (into, out)
    )
    lengths = mask.sum(1)
    final = (_final(out[:, 0], lengths) * last).sum(-1).log()
    constant = peaks[1] + peaks[2] + peaks[0] * (lengths - 1)
    body = (norms[:, 0].log() * real).sum((0, 2)) + (tops[:, :, 0] * mask).sum(1)
    return ScaledSweep(real, factors, forward_into, forward_out, backward_into, backward_out, body + final + constant)


def _scaled_loop(weights: Tensor, factors: Tensor, first: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The loop over tokens: weights (T, 2, B, K), factors (2, K, K), first (2, K) -> into, out, norms."""
    weights = weights.contiguous()
    into, out = torch.empty_like(weights), torch.empty_like(weights)
    norms = weights.new_empty(*weights.shape[:3], 1)
    into[0] = first[:, None]
    steps = list(zip(weights.unbind(), into.unbind(), out.unbind(), norms.unbind(), strict=True))
    for index, (weight, before, after, norm) in enumerate(steps):
        torch.mul(before, weight, out=after)
        torch.sum(after, -1, keepdim=True, out=norm)
        after.div_(norm.clamp_min_(TINY))
        if index + 1 < len(steps):
            torch.bmm(after, factors, out=steps[index + 1][1])
    return into, out, norms


@dataclass(frozen=True, eq=False)
class LogSweep:
    """The same as ScaledSweep in logarithms, -inf for 0: slower, exact for scores of any size."""

    transitions: Tensor  # (K, K)
    forward_into: Tensor
    forward_out: Tensor
    backward_into: Tensor
    backward_out: Tensor
    log_partition: Tensor

    @property
    def unary(self) -> Tensor:
        """(B, T, K): marginals."""
        scores = self.forward_out + self.backward_into - _finite(self.log_partition)[:, None]
        return scores.exp().transpose(0, 1)

    def pairs(self, weight: Tensor) -> Tensor:
        """(K, K): weighted transition counts."""
        total = torch.zeros_like(self.transitions)
        shift = _finite(self.log_partition)[:, None, None]
        for t in range(1, self.forward_out.shape[0]):
            joint = self.forward_out[t - 1][:, :, None] + self.transitions + self.backward_out[t][:, None, :] - shift
            total += torch.einsum("bij,b->ij", joint.exp(), weight)
        return total

    def conditional(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, K), (K, K): counts given single tags."""
        flow = source.transpose(0, 1)  # (T, B, K)
        rightward, leftward = flow.clone(), flow.clone()
        counts = torch.zeros_like(self.transitions)
        length = flow.shape[0]
        for t in range(1, length):
            step = self.transitions + self.backward_out[t][:, None, :] - _finite(self.backward_into[t - 1])[:, :, None]
            moved = rightward[t - 1][:, :, None] * step.exp()  # (B, K, K)
            rightward[t] += moved.sum(1)
            counts += moved.sum(0)
        for t in range(length - 2, -1, -1):
            step = self.transitions + self.forward_out[t][:, :, None] - _finite(self.forward_into[t + 1])[:, None, :]
            moved = leftward[t + 1][:, None, :] * step.exp()
            leftward[t] += moved.sum(2)
            counts += moved.sum(0)
        return (rightward + leftward - flow).transpose(0, 1), counts


def log_sweep(emissions: Tensor, mask: Tensor, transitions: Tensor, starts: Tensor, ends: Tensor) -> LogSweep:
    """Run forward-backward on logarithms."""
    emissions = emissions.masked_fill(~mask[:, :, None], 0.0)
    back = reversal(mask)
    both = torch.stack([emissions, reordered(emissions, back)]).permute(2, 0, 1, 3)  # (T, 2, B, K)
    steps = torch.stack([transitions, transitions.T])[:, None]  # (2, 1, K, K)
    into = torch.empty_like(both)
    out = torch.empty_like(both)
    into[0] = torch.stack([starts, ends])[:, None]
    for t in range(both.shape[0]):
        if t:
            into[t] = torch.logsumexp(out[t - 1][..., None] + steps, 2)
        out[t] = into[t] + both[t]
    backward_into, backward_out = (reordered(part[:, 1].transpose(0, 1), back).transpose(0, 1) for part in (into, out))
    total = torch.logsumexp(_final(out[:, 0], mask.sum(1)) + ends, -1)
    padding = ~mask.T[:, :, None]
    forward_out, backward_out = (part.masked_fill(padding, -torch.inf) for part in (out[:, 0], backward_out))
    return LogSweep(transitions, into[:, 0], forward_out, backward_into, backward_out, total)


def _outer(left: Tensor, right: Tensor) -> Tensor:
    """Sum the outer products of all rows: two tensors (T, B, K) -> (K, K)."""
    return left.flatten(0, 1).T @ right.flatten(0, 1)


def _peak(scores: Tensor) -> Tensor:
    """The maximum over the last axis, kept; 0 where everything is -inf."""
    top = scores.amax(-1, keepdim=True)
    return top.masked_fill(top == -torch.inf, 0.0)


def _lowest(scores: Tensor) -> Tensor:
    """The lowest score that is not -inf, at most 0; -inf if there is a NaN."""
    return scores.masked_fill(scores == -torch.inf, 0.0).amin().nan_to_num(nan=-torch.inf)


def _finite(scores: Tensor) -> Tensor:
    """Replace -inf by 0, so that a difference from it is not NaN."""
    return scores.masked_fill(scores == -torch.inf, 0.0)


def _inverse(values: Tensor) -> Tensor:
    return torch.where(values > 0, 1.0 / values, 0.0)


def _final(states: Tensor, lengths: Tensor) -> Tensor:
    """The states (T, B, K) at each sentence's last real token: (B, K)."""
    return states[(lengths - 1).clamp_min(0), torch.arange(states.shape[1], device=states.device)]
