"""What a paper says, put to the test: every pair of groups that differ in that one thing, on average."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onomast.experiments.analysis.groups import Group, compared
from onomast.experiments.analysis.statistics import Difference, average
from onomast.experiments.grid import Claim, meets


@dataclass(frozen=True)
class Verdict:
    """What came of a claim."""

    claim: Claim
    difference: Difference | None
    """Mean over pairs, of micro F1; it speaks of these corpora, not of others."""
    pairs: int

    @property
    def word(self) -> str:
        """`reproduced`: the interval lies above 0, and the mean reaches what the claim is about. `not reproduced`: the
        interval ends below that. Else `undecided`; `not testable` where there are no runs to compare."""
        if self.difference is None:
            return "not testable"
        low, high = self.difference.ci95
        if low > 0 and self.difference.value >= self.claim.by:
            return "reproduced"
        return "not reproduced" if high < self.claim.by or high <= 0 else "undecided"


def verdict_of(claim: Claim, groups: Sequence[Group]) -> Verdict:
    """Pair what is better with what is worse, all else being equal, and average the differences."""
    chosen = [group for group in groups if meets(claim.where, group.coordinates)]
    varied = {"row", *claim.better, *claim.worse}
    if "row" in {*claim.better, *claim.worse}:  # a row stands for a system and the values of its axes
        varied |= {key for group in chosen for key in group.coordinates} - {"corpus", "size"}
    differences: dict[str, list[Difference]] = {}
    for better in chosen:
        for worse in chosen:
            if meets(claim.better, better.coordinates) and meets(claim.worse, worse.coordinates):
                change = compared(worse, better) if _alike(better, worse, varied) else None
                if change is not None:
                    differences.setdefault(better.corpus, []).append(change)
    if not differences:
        return Verdict(claim, None, 0)
    return Verdict(claim, average(list(differences.values())), sum(map(len, differences.values())))


def _alike(one: Group, other: Group, varied: set[str]) -> bool:
    """Are they equal in all that both have and the claim does not vary?"""
    shared = one.coordinates.keys() & other.coordinates.keys() - varied
    return all(one.coordinates[key] == other.coordinates[key] for key in shared)
