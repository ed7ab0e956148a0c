"""What a few runs say: means, intervals and differences that hold over seeds AND test sentences.

Two things vary: the seed (what was drawn, how training went) and the test sentences. Three seeds alone give a wide or,
where a trainer draws nothing, an empty interval; test sentences alone do not know of the seed. So the two variances are
added, and Student's t takes the degrees of freedom that Satterthwaite (1946) gives the sum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean, variance
from typing import TYPE_CHECKING

from onomast.evaluation.significance import Interval

if TYPE_CHECKING:
    from onomast.evaluation.counting import Counts
    from onomast.evaluation.metrics import Floats

_MANY = 1e4  # degrees of freedom: as good as a normal distribution
_SAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """Mean over seeds."""

    value: float
    ci95: Interval | None
    """None: one seed, and nothing is known of the test sentences."""
    seeds: int


@dataclass(frozen=True)
class Difference:
    """Second less first, paired by seed and by test sentence."""

    value: float
    error: float
    freedom: float
    """Degrees of freedom of the error."""
    p: float
    """Two-sided."""
    seeds: int

    @property
    def ci95(self) -> Interval:
        """Interval of the difference."""
        reach = t_quantile(self.freedom) * self.error
        return self.value - reach, self.value + reach


def estimate(values: Sequence[float], errors: Sequence[float]) -> Estimate:
    """Mean of one score over seeds; `errors`: its standard error over test sentences in each run, or none.

    All runs have the same test sentences, so their errors do not average out: the mean error counts.
    """
    value = mean(values)
    error, freedom = _joined(values, mean(errors) if errors else 0.0)
    if len(values) < 2 and not errors:
        return Estimate(value, None, len(values))
    reach = t_quantile(freedom) * error
    return Estimate(value, (value - reach, value + reach), len(values))


def difference(first: Mapping[int, Counts], second: Mapping[int, Counts]) -> Difference | None:
    """Compare micro F1 of two systems; seed -> (N, 3) counts on the same N test sentences. None: no seed in common.

    One seed: approximate randomisation over test sentences. More: t test with both variances in it.
    """
    import numpy as np

    from onomast.evaluation.metrics import f1_of
    from onomast.evaluation.significance import randomisation_p, resample

    seeds = sorted(set(first) & set(second))
    if not seeds:
        return None
    stacked = np.stack([system[seed] for system in (first, second) for seed in seeds], axis=1)  # (N, 2 * seeds, 3)
    f1 = f1_of(resample(stacked, _SAMPLES, 0)).reshape(_SAMPLES, 2, len(seeds))
    sentences = float((f1[:, 1] - f1[:, 0]).mean(axis=1).std(ddof=1))
    whole = f1_of(stacked.sum(axis=0).astype(np.float64)).reshape(2, len(seeds))
    differences = (whole[1] - whole[0]).tolist()
    error, freedom = _joined(differences, sentences)
    change = Difference(mean(differences), error, freedom, 1.0, len(seeds))
    if len(seeds) == 1:
        return replace(change, p=randomisation_p(first[seeds[0]], second[seeds[0]])[0])
    return replace(change, p=_p(change))


def average(groups: Sequence[Sequence[Difference]]) -> Difference:
    """The mean of all differences; those of one group share test sentences, so that their errors do not average out."""
    every = [one for group in groups for one in group]
    parts = [len(group) / len(every) * mean(one.error for one in group) for group in groups]
    error = math.sqrt(sum(part**2 for part in parts))
    spread = sum(part**4 / min(one.freedom for one in group) for part, group in zip(parts, groups, strict=True) if part)
    freedom = min(error**4 / spread, _MANY) if spread else _MANY
    change = Difference(mean(one.value for one in every), error, freedom, 1.0, min(one.seeds for one in every))
    return every[0] if len(every) == 1 else replace(change, p=_p(change))


def t_quantile(freedom: float) -> float:
    """The t within which 95 % of Student's distribution lie."""
    angles, shares = _student(freedom)
    import numpy as np

    return math.sqrt(freedom) * math.tan(float(np.interp(0.95, shares, angles)))


def t_outside(t: float, freedom: float) -> float:
    """Probability that Student's t is further from 0 than this."""
    angles, shares = _student(freedom)
    import numpy as np

    return 1.0 - float(np.interp(math.atan(abs(t) / math.sqrt(freedom)), angles, shares))


def _student(freedom: float) -> tuple[Floats, Floats]:
    """Angles a and P(|T| <= sqrt(freedom) tan(a)): as a function of a, the density of T is cos(a) ^ (freedom - 1)."""
    import numpy as np

    last = min(math.pi / 2, 40 / math.sqrt(freedom))
    angles = np.linspace(0.0, last, 40_001)
    density = np.cos(angles) ** (freedom - 1)
    summed = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    shares: Floats = summed / summed[-1]
    return angles, shares


def _joined(values: Sequence[float], sentences: float) -> tuple[float, float]:
    """Standard error of a mean over seeds and test sentences, and its degrees of freedom."""
    count = len(values)
    seeds = variance(values) / count if count > 1 else 0.0
    total = seeds + sentences**2
    if seeds <= 1e-18:
        return math.sqrt(total), _MANY
    return math.sqrt(total), min(total**2 / (seeds**2 / (count - 1)), _MANY)


def _p(change: Difference) -> float:
    if change.error == 0:
        return 1.0 if change.value == 0 else 0.0
    return t_outside(change.value / change.error, change.freedom)
