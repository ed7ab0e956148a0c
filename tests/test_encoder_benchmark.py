"""The table and the claims of the encoder benchmark, on rows made up here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from onomast.evaluation.report import evaluate
from onomast.experiments.results import pack_counts
from onomast.sentence import Sentence

sys.path.insert(0, str(Path(__file__).parent.parent))
table = pytest.importorskip("benchmarks.encoder.table")

GOLD = [Sentence(("Asha", "in", "Tanga"), ("B-PER", "O", "B-LOC"))] * 10


def row(system: str, seed: int, right: int, speed: float) -> dict[str, Any]:
    """A run that finds both entities in `right` of ten sentences and nothing in the others."""
    found = [one if place < right else one.tagged(("O",) * 3) for place, one in enumerate(GOLD)]
    report = evaluate(GOLD, found)
    return {
        "method": system, "corpus": "C", "seed": seed, "f1": report.micro.f1,
        "counts": pack_counts(report.counts.sum(axis=1)),
        "sentences": {"train": 5, "test": 10}, "sentences_per_second": {"processor": speed, "seconds": speed / 2},
        "processor": {"train": 60.0}, "versions": {"torch": "2"},
    }  # fmt: skip


CLAIM = table.Claim("C", "ours", 2, 80.0, "peer", 1.5)


def test_claims_hold_from_the_mean_of_seeds_and_the_ratio_of_speeds() -> None:
    rows = [row("ours", 0, 6, 30.0), row("ours", 1, 9, 30.0), row("peer", 0, 5, 20.0)]
    assert [line.partition(":")[0] for line in table.verdicts(rows, [CLAIM])] == ["met", "met"]
    lower = [row("ours", 0, 5, 29.0), row("ours", 1, 8, 29.0), row("peer", 0, 5, 20.0)]
    assert [line.partition(":")[0] for line in table.verdicts(lower, [CLAIM])] == ["NOT MET", "NOT MET"]


def test_a_claim_without_its_rows_is_not_met() -> None:
    assert all(line.startswith("NOT MET") for line in table.verdicts([], [CLAIM]))
    one = [row("ours", 0, 10, 30.0), row("peer", 0, 5, 20.0)]
    assert [line.partition(":")[0] for line in table.verdicts(one, [CLAIM])] == ["NOT MET", "met"]


def test_systems_are_compared_on_the_seeds_they_share() -> None:
    rows = [row("ours", 0, 10, 30.0), row("ours", 1, 0, 30.0), row("peer", 0, 10, 20.0)]
    page = table.render(rows, ["peer", "ours"], [("ours", "peer")], [CLAIM])
    assert "ours less peer: +0.0 F1 [+0.0, +0.0], seed 0: over test sentences only" in page
    assert "| ours | C | 2 | 50.0 [" in page
