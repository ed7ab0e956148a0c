"""Paired tests: against enumeration of every swap, naive loops, and systems that are equal by construction."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onomast.errors import DataError, OnomastError
from onomast.evaluation.report import evaluate
from onomast.evaluation.significance import compare, interval, randomisation_p, resample
from onomast.sentence import Sentence

WORDS = ("a", "b", "c", "d")
GOLD_TAGS = ("B-PER", "I-PER", "O", "B-LOC")


def sentences(rows: Sequence[Sequence[str]]) -> list[Sentence]:
    return [Sentence(WORDS, tuple(tags)) for tags in rows]


def system(number: int, accuracy: float, seed: int) -> list[Sentence]:
    """Finds each of the two entities of a sentence with this probability, and now and then one too many."""
    generator = random.Random(seed)
    rows = []
    for _ in range(number):
        person = ("B-PER", "I-PER") if generator.random() < accuracy else ("O", "O")
        extra = "B-LOC" if generator.random() < 0.1 else "O"
        rows.append((*person, extra, "B-LOC" if generator.random() < accuracy else "O"))
    return sentences(rows)


def gold(number: int) -> list[Sentence]:
    return sentences([GOLD_TAGS] * number)


def f1(truth: Sequence[Sentence], guess: Sequence[Sentence]) -> float:
    """Micro F1 by hand."""
    pairs = [(set(one.spans), set(other.spans)) for one, other in zip(truth, guess, strict=True)]
    total = sum(len(a) + len(b) for a, b in pairs)
    return 2 * sum(len(a & b) for a, b in pairs) / total if total else 0.0


def enumerated_p(first: Sequence[Sentence], second: Sequence[Sentence]) -> float:
    """Share of all 2^n ways to swap the systems' sentences that give a difference as large as the observed one."""
    truth = gold(len(first))
    observed = abs(f1(truth, second) - f1(truth, first))
    as_large = 0
    for swaps in itertools.product((False, True), repeat=len(first)):
        mixed = [[b if swap else a for a, b, swap in zip(first, second, swaps, strict=True)]]
        mixed.append([a if swap else b for a, b, swap in zip(first, second, swaps, strict=True)])
        as_large += abs(f1(truth, mixed[1]) - f1(truth, mixed[0])) >= observed - 1e-12
    return float(as_large / 2 ** len(first))


def counts(truth: Sequence[Sentence], guess: Sequence[Sentence]) -> np.ndarray:
    return evaluate(truth, guess, samples=1).counts.sum(axis=1)


@pytest.mark.parametrize("seed", range(8))
def test_p_of_few_sentences_is_that_of_all_swaps(seed: int) -> None:
    first, second = system(8, 0.5, seed), system(8, 0.8, seed + 100)
    [comparison] = compare(gold(8), {"first": first, "second": second}, samples=1000)
    assert comparison.exact
    assert comparison.randomisation_p == pytest.approx(enumerated_p(first, second), abs=1e-12)


def test_p_by_drawing_swaps_comes_near_that_of_all_swaps() -> None:
    first, second = system(12, 0.4, 3), system(12, 0.6, 4)
    truth = gold(12)
    expected = enumerated_p(first, second)
    drawn, exact = randomisation_p(counts(truth, first), counts(truth, second), samples=1000)
    assert not exact and 0.05 < expected < 0.95
    assert drawn == pytest.approx(expected, abs=4 * (expected * (1 - expected) / 1000) ** 0.5)


def test_the_interval_of_a_difference_agrees_with_a_naive_loop() -> None:
    first, second, truth = system(50, 0.6, 1), system(50, 0.75, 2), gold(50)
    [comparison] = compare(truth, {"first": first, "second": second}, samples=3000)
    generator, differences = random.Random(5), []
    for _ in range(1000):
        drawn = generator.choices(range(50), k=50)
        scores = [f1([truth[i] for i in drawn], [side[i] for i in drawn]) for side in (first, second)]
        differences.append(scores[1] - scores[0])
    expected = np.quantile(differences, [0.025, 0.975]).tolist()
    assert comparison.ci95 == pytest.approx(expected, abs=0.25 * np.std(differences))
    observed = f1(truth, second) - f1(truth, first)
    assert comparison.difference == pytest.approx(observed)
    stray = np.mean([abs(one - observed) >= abs(observed) for one in differences])
    assert comparison.bootstrap_p == pytest.approx(stray, abs=4 * (0.25 / 1000) ** 0.5)


def test_equal_systems_are_not_told_apart() -> None:
    same = system(30, 0.7, 1)
    [comparison] = compare(gold(30), {"first": same, "second": list(same)}, samples=200)
    assert comparison.difference == 0 and comparison.ci95 == (0, 0)
    assert comparison.bootstrap_p == comparison.randomisation_p == comparison.adjusted_p == 1


def test_a_much_better_system_is_told_apart() -> None:
    [comparison] = compare(gold(100), {"poor": system(100, 0.3, 1), "good": system(100, 0.9, 2)}, samples=999)
    assert comparison.difference > 0.3 and comparison.ci95[0] > 0
    assert comparison.bootstrap_p == comparison.randomisation_p == pytest.approx(1 / 1000)


def test_p_is_never_zero_and_order_does_not_matter() -> None:
    sides = {"a": system(80, 0.6, 1), "b": system(80, 0.7, 2)}
    [one] = compare(gold(80), sides, samples=500)
    [other] = compare(gold(80), dict(reversed(sides.items())), samples=500)
    assert 0 < one.bootstrap_p <= 1 and 0 < one.randomisation_p <= 1
    assert one.difference == pytest.approx(-other.difference)
    assert one.ci95 == pytest.approx((-other.ci95[1], -other.ci95[0]))
    assert one.bootstrap_p == other.bootstrap_p
    assert one.randomisation_p == pytest.approx(other.randomisation_p, abs=0.1)


def test_equal_taggers_are_seldom_told_apart() -> None:
    """Type-I error: of 300 pairs of systems that are equally good by construction about 5 % have p < 0.05."""
    truth, found = gold(60), []
    for seed in range(300):
        sides = {"a": system(60, 0.6, 10_000 + 2 * seed), "b": system(60, 0.6, 10_001 + 2 * seed)}
        [comparison] = compare(truth, sides, samples=300, seed=seed)
        found.append((comparison.bootstrap_p < 0.05, comparison.randomisation_p < 0.05))
    # 3,000 such pairs gave 0.053 and 0.050; the standard error of 300 is 0.0126.
    assert np.mean(found, axis=0).tolist() == pytest.approx([0.05, 0.05], abs=0.038)


def test_several_systems_are_corrected_by_holm() -> None:
    sides = {str(place): system(60, accuracy, place) for place, accuracy in enumerate((0.5, 0.6, 0.7, 0.8))}
    comparisons = compare(gold(60), sides, samples=2000)
    assert [(one.first, one.second) for one in comparisons] == list(itertools.combinations(sides, 2))
    ordered = sorted(comparisons, key=lambda one: one.randomisation_p)
    for rank, one in enumerate(ordered):
        upto = [(len(ordered) - place) * each.randomisation_p for place, each in enumerate(ordered[: rank + 1])]
        assert one.adjusted_p == pytest.approx(min(1, max(upto)))
    assert len({one.adjusted_p for one in comparisons}) > 1


@settings(max_examples=30)
@given(number=st.integers(1, 30), samples=st.integers(1, 40), seed=st.integers(0, 99))
def test_each_bootstrap_sample_has_as_many_sentences_as_the_file(number: int, samples: int, seed: int) -> None:
    marks = np.stack([np.ones(number, np.int64), np.arange(number)], 1)
    drawn = resample(marks, samples, seed)
    assert drawn.shape == (samples, 2)
    assert (drawn[:, 0] == number).all()
    assert ((drawn[:, 1] >= 0) & (drawn[:, 1] <= number * (number - 1))).all()


def test_bootstrap_samples_have_the_mean_and_spread_of_drawing_with_replacement() -> None:
    values = np.arange(40)[:, None] ** 2
    drawn = resample(values, 20_000, 1)[:, 0]
    spread = values.std() * 40**0.5
    assert drawn.mean() == pytest.approx(values.sum(), abs=5 * spread / 20_000**0.5)
    assert drawn.std() == pytest.approx(spread, rel=0.03)


def test_resampling_in_blocks_draws_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onomast.evaluation.significance._CELLS", 70)
    drawn = resample(np.ones((10, 1), np.int64), 25, 0)
    assert drawn.shape == (25, 1) and (drawn == 10).all()
    change, still = np.array([[1, 2, 2]] * 20), np.array([[0, 2, 2]] * 20)
    p, exact = randomisation_p(change, still, samples=99, seed=0)
    assert not exact and p == pytest.approx(1 / 100)


def test_the_interval_is_the_middle_95_percent() -> None:
    assert interval(np.arange(1001) / 1000) == pytest.approx((0.025, 0.975))


def test_one_system_cannot_be_compared() -> None:
    with pytest.raises(OnomastError, match="1 system to compare; expected two or more"):
        compare(gold(3), {"only": gold(3)})


def test_other_sentences_cannot_be_compared() -> None:
    other = [Sentence(("x", *WORDS[1:]), GOLD_TAGS)]
    with pytest.raises(DataError, match="token 1"):
        compare(gold(1), {"a": gold(1), "b": other})


def test_a_comparison_has_exactly_the_documented_fields() -> None:
    [comparison] = compare(gold(5), {"a": gold(5), "b": system(5, 0.5, 1)}, samples=50)
    figures = json.loads(json.dumps(comparison.to_json(), allow_nan=False))
    page = (Path(__file__).parents[1] / "docs" / "explanation" / "scores.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", page.split("## The fields of a comparison")[1], re.MULTILINE)
    assert set(figures) == {name for row in rows for name in re.findall(r"`(.+?)`", row)}
    assert set(figures) == {field.name for field in dataclasses.fields(comparison)}
