"""A linear-chain CRF over given scores: likelihood, marginals, best path, n best paths, partial annotation.

Everything runs in float64 and no gradient goes through the loop over tokens: forward_backward.py has the expected
counts, which are the gradient. -inf marks what is illegal; heads.py owns the parameters and the legal transitions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import one_hot

from onomast.layers.forward_backward import Sweep, sweep


@dataclass(frozen=True, eq=False)
class LinearChain:
    """The scores of B sentences of at most T tokens and K tags; a path's score is their sum along it.

    emissions (B, T, K); mask (B, T) bool, True where a token is real: real tokens first, at least one in each row;
    transitions (K, K) from row to column; starts (K,) and ends (K,). -inf forbids a tag, transition, start or end.
    Results are float64, except where stated; emissions at padding are not read.
    """

    emissions: Tensor
    mask: Tensor
    transitions: Tensor
    starts: Tensor
    ends: Tensor

    @property  # not cached: made under no_grad it would lose its gradient
    def _scores(self) -> tuple[Tensor, ...]:
        """Emissions, transitions, starts, ends in float64."""
        return tuple(part.double() for part in (self.emissions, self.transitions, self.starts, self.ends))

    @cached_property
    def _sweep(self) -> Sweep:
        with torch.no_grad():
            emissions, transitions, starts, ends = (part.detach() for part in self._scores)
            return sweep(emissions, self.mask, transitions, starts, ends)

    def within(self, allowed: Tensor) -> LinearChain:
        """Keep only the paths whose every tag is allowed: bool (B, T, K); at padding it is not read."""
        return replace(self, emissions=self.emissions.masked_fill(~allowed, -torch.inf))

    def log_partition(self) -> Tensor:
        """Sum over all legal paths: (B,); -inf where there is none. Its gradient is the expected counts."""
        total: Tensor = _LogPartition.apply(self._sweep, self.mask, *self._scores)  # type: ignore[no-untyped-call]
        return total

    def path_score(self, tags: Tensor) -> Tensor:
        """Score given paths: tags (B, T) -> (B,); -inf for an illegal one. Tags at padding are not read."""
        emissions, transitions, starts, ends = self._scores
        tags = tags.masked_fill(~self.mask, 0)
        along = emissions.gather(2, tags[:, :, None])[:, :, 0].masked_fill(~self.mask, 0.0).sum(1)
        steps = transitions.flatten()[tags[:, :-1] * transitions.shape[0] + tags[:, 1:]]  # (B, T - 1)
        last = tags.gather(1, self.mask.sum(1, keepdim=True) - 1)[:, 0]
        return along + steps.masked_fill(~self.mask[:, 1:], 0.0).sum(1) + starts[tags[:, 0]] + ends[last]

    def nll(self, tags: Tensor) -> Tensor:
        """-log p(tags): (B, T) -> (B,); inf for an illegal path."""
        return self.log_partition() - self.path_score(tags)

    def partial_nll(self, allowed: Tensor) -> Tensor:
        """-log of the probability that every tag is allowed: bool (B, T, K) -> (B,); inf where no legal path is.

        With one tag allowed per token it equals `nll`; with all of them it is 0. Tsuboi et al. (2008), section 4.
        """
        return self.log_partition() - self.within(allowed).log_partition()

    def marginals(self) -> Tensor:
        """The probability of each tag: (B, T, K); 0 at padding. No gradient."""
        return self._sweep.unary

    def log_marginals(self, allowed: Tensor) -> Tensor:
        """log p(the tag of token t is allowed), for each token: bool (B, T, K) -> (B, T); 0 at padding.

        -inf where nothing allowed is possible; such a token has no gradient.
        """
        allowed = allowed & self.mask[:, :, None]
        values: Tensor = _LogMarginals.apply(self._sweep, self.mask, allowed, *self._scores)  # type: ignore[no-untyped-call]
        return values

    def best_path(self) -> Tensor:
        """Find the path with the highest score (Viterbi): (B, T) ids, 0 at padding. No gradient."""
        emissions, transitions, starts, ends = (part.detach() for part in self._scores)
        lengths = self.mask.sum(1)
        incoming = transitions.T.contiguous()  # (K, K), to row from column
        state = emissions[:, 0] + starts  # (B, K)
        states = [state]
        for t in range(1, emissions.shape[1]):
            state = (state[:, None, :] + incoming).amax(2) + emissions[:, t]
            states.append(state)
        rows = torch.arange(len(lengths), device=lengths.device)
        tag = (torch.stack(states)[lengths - 1, rows] + ends).argmax(1)  # (B,)
        path = [tag]
        for t in range(len(states) - 2, -1, -1):  # the choice at t + 1 is found again from the states at t
            before = (states[t] + incoming[tag]).argmax(1)
            tag = torch.where(lengths > t + 1, before, tag)
            path.append(tag)
        return torch.stack(path[::-1], 1).masked_fill(~self.mask, 0)


class _LogPartition(torch.autograd.Function):
    """(B,) from a finished sweep; the scores (emissions, transitions, starts, ends) are there for their gradient."""

    @staticmethod
    def forward(ctx: Any, found: Sweep, mask: Tensor, *scores: Tensor) -> Tensor:  # noqa: ARG004
        ctx.found = found
        ctx.save_for_backward(mask)
        return found.log_partition.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (mask,) = ctx.saved_tensors
        unary = ctx.found.unary * gradient[:, None, None]
        return None, None, *_gradients(unary, ctx.found.pairs(gradient), mask)


class _LogMarginals(torch.autograd.Function):
    """(B, T) from a finished sweep. The gradient of log p(y_t) is E[counts | y_t] - E[counts]."""

    @staticmethod
    def forward(ctx: Any, found: Sweep, mask: Tensor, allowed: Tensor, *scores: Tensor) -> Tensor:  # noqa: ARG004
        chances = found.unary * allowed
        total = chances.sum(-1)
        ctx.found = found
        ctx.save_for_backward(mask, chances, total)
        return total.log().masked_fill(~mask, 0.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        mask, chances, total = ctx.saved_tensors
        known = torch.where(total > 0, gradient, 0.0)  # (B, T)
        source = chances * (known / torch.where(total > 0, total, 1.0))[:, :, None]
        unary, pairs = ctx.found.conditional(source)
        weight = known.sum(1)
        unary = unary - ctx.found.unary * weight[:, None, None]
        return None, None, None, *_gradients(unary, pairs - ctx.found.pairs(weight), mask)


def _gradients(unary: Tensor, pairs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Turn expected counts into gradients of emissions, transitions, starts and ends."""
    rows = torch.arange(len(mask), device=mask.device)
    return unary, pairs, unary[:, 0].sum(0), unary[rows, mask.sum(1) - 1].sum(0)


def allowed_tags(gold: Tensor, tags: int) -> Tensor:
    """Say which of K tags a token may have: gold (B, T) ids, -1 for any -> bool (B, T, K)."""
    return one_hot(gold.clamp_min(0), tags).bool() | (gold < 0)[:, :, None]
