"""Best legal paths and their probabilities for a batch of linear chains, in numpy.

Unlike `layers.crf`, which learns, this only decodes; it needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_LEAST = -600.0  # log of the smallest probability of a tag, next to the likeliest, that sums tell from 0


@dataclass(frozen=True)
class ViterbiDecoder:
    """K tags: scores of transitions, and which of them are legal."""

    transitions: Floats
    """(K, K): from, to."""
    legal: Bools
    """(K, K): may tag j follow tag i? Every tag needs a legal follower."""
    starts: Bools
    """(K,)"""
    ends: Bools
    """(K,)"""

    def decode(self, scores: Floats, lengths: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Floats]:
        """The best legal path of each sentence, and the probability of each of its tags among all legal paths.

        `scores` (T, B, K), time first; `lengths` (B,), the longest sentence first, all above 0.
        Returns two arrays (T, B); what lies behind a sentence's end means nothing.
        """
        path = self._best(scores, lengths, _sizes(scores, lengths))
        marginals = self.marginals(scores, lengths)
        return path, np.take_along_axis(marginals, path[:, :, None], axis=2)[:, :, 0]

    def marginals(self, scores: Floats, lengths: npt.NDArray[np.int64]) -> Floats:
        """The probability of each tag of each token among all legal paths: (T, B, K); arguments as of `decode`."""
        return self._marginals(scores, lengths, _sizes(scores, lengths))

    def log_partition(self, scores: Floats, lengths: npt.NDArray[np.int64]) -> Floats:
        """Log of the summed exponentials of the scores of all legal paths of each sentence: (B,).

        Arguments as of `decode`. A score of -inf rules a tag out; where that leaves no legal path the result is -inf.
        The probability that certain tags stand in certain places is the exponential of the difference of two of these.
        """
        highest = self.transitions.max()
        steps = np.where(self.legal, np.exp(self.transitions - highest), 0.0)
        reached = np.where(self.starts, scores[0], -np.inf)  # (B, K): log of the summed paths that end in the tag
        for step, size in enumerate(_sizes(scores, lengths)[1:], start=1):
            before = reached[:size]
            top = before.max(axis=1, keepdims=True)
            top[top == -np.inf] = 0.0
            with np.errstate(divide="ignore"):
                summed = np.log(np.exp(before - top) @ steps)
            reached[:size] = summed + top + highest + scores[step, :size]
        ended = np.where(self.ends, reached, -np.inf)
        total: Floats = np.logaddexp.reduce(ended, axis=1)
        return total

    def _best(self, scores: Floats, lengths: npt.NDArray[np.int64], sizes: list[int]) -> npt.NDArray[np.int64]:
        """Viterbi -> (T, B)."""
        steps = np.where(self.legal, self.transitions, -np.inf)
        best = scores.copy()  # (T, B, K): score of the best path that ends in the tag
        best[0, :, ~self.starts] = -np.inf
        for step in range(1, len(best)):
            size = sizes[step]
            through = best[step - 1, :size].T[:, :, None] + steps[:, None, :]  # (K, b, K)
            best[step, :size] += through.max(axis=0)
        best[lengths - 1, np.arange(len(lengths))] += np.where(self.ends, 0.0, -np.inf)
        path = np.zeros(scores.shape[:2], dtype=np.int64)
        for step in range(len(best) - 1, -1, -1):
            size = sizes[step]
            reached = best[step, :size]
            if step + 1 < len(best) and sizes[step + 1]:
                onward = sizes[step + 1]
                reached = reached.copy()
                reached[:onward] += steps.T[path[step + 1, :onward]]
            path[step, :size] = reached.argmax(axis=1)
        return path

    def _marginals(self, scores: Floats, lengths: npt.NDArray[np.int64], sizes: list[int]) -> Floats:
        """Forward-backward over legal paths -> (T, B, K). Sums are kept near 1 at every step."""
        steps = np.exp(np.where(self.legal, self.transitions - self.transitions.max(), -np.inf).clip(_LEAST))
        steps[~self.legal] = 0.0
        local = np.exp((scores - scores.max(axis=2, keepdims=True)).clip(_LEAST))
        forward = np.zeros_like(local)
        forward[0] = local[0] * self.starts
        forward[0] /= forward[0].sum(axis=1, keepdims=True)
        for step in range(1, len(local)):
            size = sizes[step]
            summed = (forward[step - 1, :size] @ steps) * local[step, :size]
            forward[step, :size] = summed / summed.sum(axis=1, keepdims=True)
        backward = np.zeros_like(local)
        backward[lengths - 1, np.arange(len(lengths))] = self.ends
        for step in range(len(local) - 2, -1, -1):
            size = sizes[step + 1]
            summed = (backward[step + 1, :size] * local[step + 1, :size]) @ steps.T
            backward[step, :size] = summed / summed.sum(axis=1, keepdims=True)
        for step, size in enumerate(sizes):
            joint = forward[step, :size] * backward[step, :size]
            total = joint.sum(axis=1, keepdims=True)
            forward[step, :size] = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
        marginals: Floats = forward
        return marginals


def _sizes(scores: Floats, lengths: npt.NDArray[np.int64]) -> list[int]:
    """The number of sentences that reach each step."""
    sizes: list[int] = (lengths[None, :] > np.arange(len(scores))[:, None]).sum(axis=1).tolist()
    return sizes
