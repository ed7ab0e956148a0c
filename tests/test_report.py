"""Scores: against seqeval, scikit-learn and nervaluate; then each view of a report against a count by hand."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nervaluate import Evaluator
from seqeval import scheme as seqeval_scheme
from seqeval.metrics import sequence_labeling as seqeval_default
from seqeval.metrics import v1 as seqeval_strict
from sklearn.metrics import accuracy_score, f1_score

from onomast.errors import DataError
from onomast.evaluation.counting import Pair
from onomast.evaluation.mistakes import KINDS, mistakes_of
from onomast.evaluation.report import Known, Report, evaluate
from onomast.sentence import Sentence
from onomast.tags import Orphan, Span, Style, convert, prefixes_of, tags_of

LABELS = ("LOC", "ORG", "PER")
SEQEVAL: Mapping[Style, str] = {
    "iob1": "IOB1", "iob2": "IOB2", "iobes": "IOBES", "bilou": "BILOU", "bmeso": "IOBES",
}  # fmt: skip
TO_IOBES: Mapping[Style, Mapping[str, str]] = {"bilou": {"U": "S", "L": "E"}, "bmeso": {"M": "I"}}


def sentence(tags: Sequence[str | None] | str, words: str | None = None, **fields: Any) -> Sentence:
    """A sentence of made-up words; tags may be given as one string."""
    tags = tags.split() if isinstance(tags, str) else tags
    tokens = words.split() if words else [f"w{index}" for index in range(len(tags))]
    return Sentence(tuple(tokens), tuple(tags), **fields)


def random_pairs(style: Style, number: int, seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """Arbitrary tag sequences, most of them illegal, and copies in which every fourth tag is drawn anew."""
    generator = random.Random(seed)
    tags = ["O", *(f"{prefix}-{label}" for label in LABELS for prefix in prefixes_of(style))]
    gold = [generator.choices(tags, k=generator.randint(1, 8)) for _ in range(number)]
    predicted = [[generator.choice(tags) if generator.random() < 0.25 else tag for tag in row] for row in gold]
    return gold, predicted


def renamed(sequences: list[list[str]], letters: Mapping[str, str]) -> list[list[str]]:
    return [[letters.get(tag[0], tag[0]) + tag[1:] for tag in tags] for tags in sequences]


def seqeval_scores(
    gold: list[list[str]], predicted: list[list[str]], style: Style, orphan: Orphan, average: str | None
) -> Any:
    """Precision, recall, F1, support."""
    if orphan == "conlleval":
        letters = TO_IOBES.get(style, {})  # its default mode knows E and S, but not L, U and M
        pair = renamed(gold, letters), renamed(predicted, letters)
        return seqeval_default.precision_recall_fscore_support(*pair, average=average, zero_division=0)
    letters = TO_IOBES["bmeso"] if style == "bmeso" else {}
    scheme = getattr(seqeval_scheme, SEQEVAL[style])
    pair = renamed(gold, letters), renamed(predicted, letters)
    return seqeval_strict.precision_recall_fscore_support(*pair, average=average, zero_division=0, scheme=scheme)


@pytest.mark.parametrize("orphan", ["conlleval", "strict"])
@pytest.mark.parametrize("style", SEQEVAL)
def test_equal_to_seqeval_on_random_tags(style: Style, orphan: Orphan) -> None:
    gold, predicted = random_pairs(style, 10_000, seed=len(style) + len(orphan))
    sides = [[sentence(convert(tags, style, "iob2", orphan)) for tags in side] for side in (gold, predicted)]
    report = evaluate(*sides, orphan=orphan, samples=1)
    micro = seqeval_scores(gold, predicted, style, orphan, "micro")
    assert (report.micro.precision, report.micro.recall, report.micro.f1) == pytest.approx(micro[:3], abs=1e-12)
    rows = seqeval_scores(gold, predicted, style, orphan, None)
    assert report.macro.f1 == pytest.approx(np.average(rows[2]), abs=1e-12)
    assert report.weighted.f1 == pytest.approx(np.average(rows[2], weights=rows[3]), abs=1e-12)
    per_label = zip(*rows, strict=True)
    for (label, score), expected in zip(report.label_scores.items(), per_label, strict=True):
        assert (score.precision, score.recall, score.f1) == pytest.approx(expected[:3], abs=1e-12), label
        assert score.support == expected[3]


@pytest.mark.parametrize("orphan", ["conlleval", "strict"])
def test_averages_equal_seqeval(orphan: Orphan) -> None:
    gold, predicted = random_pairs("iob2", 200, seed=2)
    gold.append(["O", "B-EVENT"])
    predicted.append(["B-ONLYPREDICTED", "B-EVENT"])
    sides = [[sentence(convert(tags, "iob2", "iob2", orphan)) for tags in side] for side in (gold, predicted)]
    report = evaluate(*sides, orphan=orphan, samples=1)
    for average in ("micro", "macro", "weighted"):
        found = getattr(report, average)
        expected = seqeval_scores(gold, predicted, "iob2", orphan, average)
        assert (found.precision, found.recall, found.f1) == pytest.approx(expected[:3], abs=1e-12)


@pytest.mark.parametrize("style", ["iob2", "iobes", "bilou"])
def test_tag_scores_equal_scikit_learn(style: Style) -> None:
    gold, predicted = random_pairs("iob2", 2000, seed=5)
    sides = [[sentence(convert(tags, "iob2", "iob2")) for tags in side] for side in (gold, predicted)]
    tags = evaluate(*sides, scheme=style, samples=1).tags
    flat = [[tag for one in side for tag in convert(one.tags, "iob2", style)] for side in sides]
    known = sorted(set(flat[0]))
    assert tags.accuracy == pytest.approx(accuracy_score(*flat))
    assert tags.macro_f1 == pytest.approx(f1_score(*flat, labels=known, average="macro"))
    assert tags.weighted_f1 == pytest.approx(f1_score(*flat, labels=known, average="weighted"))


def test_tag_scores_average_over_the_tags_of_the_gold_alone() -> None:
    tags = evaluate([sentence("O O B-PER O")], [sentence("B-LOC O B-PER O")], scheme="iob2").tags
    assert set(tags.tags) == {"O", "B-PER"}
    assert tags.accuracy == 0.75
    assert tags.macro_f1 == pytest.approx((4 / 5 + 1) / 2)
    assert tags.weighted_f1 == pytest.approx((3 * 4 / 5 + 1) / 4)


def test_counts_equal_nervaluate() -> None:
    gold, predicted = random_pairs("iob2", 1000, seed=9)
    sides = [[list(convert(tags, "iob2", "iob2")) for tags in side] for side in (gold, predicted)]
    report = evaluate(*([sentence(tags) for tags in side] for side in sides), samples=1)
    results = Evaluator(*sides, tags=list(LABELS), loader="list").evaluate()
    for score, result in ((report.micro, "strict"), (report.boundaries, "exact")):
        expected = results["overall"][result]
        assert (score.true_positives, score.predicted, score.gold) == (
            expected.correct, expected.actual, expected.possible,
        )  # fmt: skip


@st.composite
def span_pairs(draw: st.DrawFn) -> Pair:
    """Gold and predicted spans of one sentence; on each side none overlap."""

    def side() -> Iterator[Span]:
        end = 0
        gaps = st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(LABELS[:2]))
        for gap, length, label in draw(st.lists(gaps, max_size=5)):
            yield Span(end + gap, end + gap + length, label)
            end += gap + length

    return Pair(tuple(side()), tuple(side()))


@given(span_pairs())
def test_every_wrong_entity_is_part_of_exactly_one_mistake(pair: Pair) -> None:
    found = mistakes_of(pair)
    right = set(pair.gold) & set(pair.predicted)
    assert sorted(one.gold for one in found if one.gold) == sorted(set(pair.gold) - right)
    assert sorted(one.predicted for one in found if one.predicted) == sorted(set(pair.predicted) - right)


@given(span_pairs())
def test_kinds_of_mistakes_mean_what_they_say(pair: Pair) -> None:
    found = mistakes_of(pair)
    for one in found:
        if one.gold is None or one.predicted is None:
            assert one.kind == ("spurious" if one.gold is None else "missed")
            continue
        assert max(one.gold.start, one.predicted.start) < min(one.gold.end, one.predicted.end)
        same_label = one.gold.label == one.predicted.label
        same_borders = (one.gold.start, one.gold.end) == (one.predicted.start, one.predicted.end)
        assert not (same_label and same_borders)
        expected = "wrong_label" if same_borders else "wrong_border" if same_label else "wrong_border_and_label"
        assert one.kind == expected
    alone = (
        [one.gold for one in found if one.kind == "missed"],
        [one.predicted for one in found if one.kind == "spurious"],
    )
    for missed in alone[0]:
        for spurious in alone[1]:
            assert missed is not None and spurious is not None
            assert missed.end <= spurious.start or spurious.end <= missed.start, "these two could be paired"


def test_equal_borders_are_paired_before_larger_overlaps() -> None:
    gold = (Span(0, 1, "PER"), Span(1, 4, "LOC"))
    predicted = (Span(0, 1, "ORG"), Span(1, 5, "LOC"))
    assert [(one.kind, one.gold, one.predicted) for one in mistakes_of(Pair(gold, predicted))] == [
        ("wrong_label", gold[0], predicted[0]),
        ("wrong_border", gold[1], predicted[1]),
    ]


def test_the_same_label_is_paired_before_a_larger_overlap() -> None:
    gold, predicted = (Span(0, 5, "PER"),), (Span(0, 3, "LOC"), Span(3, 4, "PER"))
    found = mistakes_of(Pair(gold, predicted))
    assert {one.kind: one.predicted for one in found} == {"wrong_border": predicted[1], "spurious": predicted[0]}


def test_the_larger_overlap_is_paired_first() -> None:
    gold, predicted = (Span(0, 5, "PER"),), (Span(0, 1, "PER"), Span(1, 4, "PER"))
    found = mistakes_of(Pair(gold, predicted))
    assert {one.kind: one.predicted for one in found} == {"wrong_border": predicted[1], "spurious": predicted[0]}


def test_the_report_counts_each_kind() -> None:
    gold = sentence("B-PER I-PER O B-LOC O B-ORG O O B-PER B-LOC I-LOC")
    predicted = sentence("B-PER O     O B-ORG O O     B-LOC O B-PER B-ORG O")
    report = evaluate([gold], [predicted])
    assert dict(report.errors) == {
        "missed": 1, "spurious": 1, "wrong_border": 1, "wrong_label": 1, "wrong_border_and_label": 1,
    }  # fmt: skip
    assert set(report.errors) == set(KINDS)


def test_confusion_counts_labels_of_spans_with_right_borders() -> None:
    gold = [sentence("B-PER I-PER O B-LOC O B-ORG"), sentence("B-LOC O")]
    predicted = [sentence("B-PER O     O B-ORG O B-ORG"), sentence("B-ORG O")]
    report = evaluate(gold, predicted)
    rows = {
        label: dict(zip(report.labels, row, strict=True))
        for label, row in zip(report.labels, report.confusion, strict=True)
    }
    assert rows["LOC"] == {"LOC": 0, "ORG": 2, "PER": 0}
    assert rows["ORG"] == {"LOC": 0, "ORG": 1, "PER": 0}
    assert rows["PER"] == {"LOC": 0, "ORG": 0, "PER": 0}
    assert report.confusion.trace() == report.micro.true_positives
    assert report.confusion.sum() == report.boundaries.true_positives == 3
    assert (report.boundaries.predicted, report.boundaries.gold) == (4, 4)


TRAIN = (
    sentence("B-PER I-PER O B-LOC", "Ana Lopez in Quito"),
    sentence("O B-ORG", "at Quipu"),
)
GOLD = (
    sentence("B-PER I-PER O B-LOC", "Ana Lopez in Quito"),  # leaked, all mentions known
    sentence("B-LOC O B-LOC", "Quito and Cusco"),  # Cusco is new
    sentence("B-PER O B-ORG", "Lopez at Quito"),  # Lopez alone is new; Quito is known, with another label
)
GUESS = (
    sentence("B-PER I-PER O B-LOC", "Ana Lopez in Quito"),
    sentence("B-LOC O B-LOC", "Quito and Cusco"),
    sentence("O O B-LOC", "Lopez at Quito"),
)


@pytest.mark.parametrize("train", [TRAIN, Known.of(TRAIN)])
def test_unseen_entities_are_those_whose_words_are_no_entity_in_training(train: Any) -> None:
    unseen = evaluate(GOLD, GUESS, train=train).unseen
    assert unseen is not None
    assert (unseen.true_positives, unseen.predicted, unseen.gold) == (1, 1, 2)


@pytest.mark.parametrize("train", [TRAIN, Known.of(TRAIN)])
def test_without_leaked_leaves_out_sentences_of_the_training_file(train: Any) -> None:
    report = evaluate(GOLD, GUESS, train=train)
    assert report.leaked is not None and report.leaked.tolist() == [True, False, False]
    rest = evaluate(GOLD[1:], GUESS[1:]).micro
    assert report.without_leaked == rest


def test_unseen_and_leaked_are_not_known_without_the_training_sentences() -> None:
    report = evaluate(GOLD, GUESS)
    assert report.unseen is report.without_leaked is report.leaked is None
    assert report.to_json()["unseen"] is report.to_json()["without_leaked"] is None


def test_tokens_without_annotation_are_not_scored() -> None:
    gold = sentence(["B-PER", "O", None, "B-LOC", "O", "O", "B-ORG", "O"])
    predicted = sentence(["B-PER", "B-ORG", "I-ORG", "I-ORG", "O", "B-LOC", "B-ORG", "O"])
    report = evaluate([gold], [predicted])
    # The ORG over the unknown token is not scored, the LOC after it is certain to begin there and is missed.
    assert {label: dataclasses.astuple(score) for label, score in report.label_scores.items()} == {
        "LOC": (0, 1, 1), "ORG": (1, 1, 1), "PER": (1, 1, 1),
    }  # fmt: skip
    assert report.tags.accuracy == pytest.approx(4 / 7)


def test_an_entity_that_may_go_on_in_an_unknown_token_is_not_scored() -> None:
    gold = [sentence(["B-PER", None, "O"]), sentence([None, "I-PER", "O"]), sentence(["O", "B-PER", "O"])]
    predicted = [sentence("B-PER O O"), sentence("O B-LOC O"), sentence("O B-PER O")]
    assert dataclasses.astuple(evaluate(gold, predicted).micro) == (1, 1, 1)


def test_a_sentence_without_gold_tags_is_not_scored() -> None:
    gold = [Sentence(("a", "b")), sentence("B-PER O")]
    report = evaluate(gold, [sentence("B-LOC O", "a b"), sentence("B-PER O")])
    assert dataclasses.astuple(report.micro) == (1, 1, 1)
    assert report.tags.accuracy == 1


def test_nothing_to_find_and_nothing_found_is_zero_as_in_conlleval() -> None:
    report = evaluate([sentence("O O")], [sentence("O O")])
    assert (report.micro.precision, report.micro.recall, report.micro.f1) == (0, 0, 0)
    assert report.macro.f1 == report.weighted.f1 == 0
    assert report.ci95 == (0, 0)
    assert report.tags.accuracy == 1


def test_parts_of_speech_and_sentence_labels_are_scored_where_both_sides_have_them() -> None:
    gold = [sentence("O O", pos=("N", "V"), label="sport"), sentence("O O", pos=("N", "N"), label="news")]
    guessed = [sentence("O O", pos=("N", "N"), label="sport"), sentence("O O", pos=("N", "N"), label="sport")]
    report = evaluate(gold, guessed)
    assert report.pos is not None and report.pos.accuracy == 0.75
    assert report.sentence is not None and report.sentence.accuracy == 0.5
    bare = evaluate(gold, [sentence("O O"), sentence("O O")])
    assert bare.pos is bare.sentence is None


@pytest.mark.parametrize(
    ("gold", "predicted", "message"),
    [
        ([sentence("O O", "a b", source="g:1")], [sentence("O O", "a c", source="p:7")], r"g:1.*'b'.*p:7.*'c'"),
        ([sentence("O O", "a b", source="g:1")], [sentence("O", "a", source="p:7")], r"g:1.*2 tokens.*p:7.* 1"),
        ([sentence("O", "a"), sentence("O", "b", source="g:3")], [sentence("O", "a")], r"g:3: only the gold.*2 gold"),
        ([sentence("O", "a")], [sentence("O", "a"), sentence("O", "b", source="p:3")], r"p:3: only the predicted"),
        ([sentence("O", "a")], [Sentence(("a",))], r"sentence 1: the predicted sentence carries no tags"),
        ([Sentence(("a",))], [sentence("O", "a")], r"sentence 1: none of the 1 gold sentences carries tags"),
        ([], [], "none of the 0 gold sentences"),
    ],
)  # fmt: skip
def test_what_cannot_be_scored_is_refused_in_one_line(
    gold: list[Sentence], predicted: list[Sentence], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        evaluate(gold, predicted)
    assert "\n" not in str(caught.value)


def test_intervals_agree_with_a_naive_bootstrap() -> None:
    gold, predicted = random_pairs("iob2", 60, seed=3)
    sides = [[sentence(convert(tags, "iob2", "iob2")) for tags in side] for side in (gold, predicted)]
    report = evaluate(*sides, samples=2000)
    for name in ("PER", "all"):
        spans = [[{span for span in one.spans if name in (span.label, "all")} for one in side] for side in sides]
        f1s, generator = [], random.Random(8)
        for _ in range(2000):
            drawn = generator.choices(range(60), k=60)
            right = sum(len(spans[0][index] & spans[1][index]) for index in drawn)
            total = sum(len(spans[0][index]) + len(spans[1][index]) for index in drawn)
            f1s.append(2 * right / total)
        found = report.ci95 if name == "all" else report.label_intervals[name]
        assert found == pytest.approx(np.quantile(f1s, [0.025, 0.975]).tolist(), abs=0.25 * np.std(f1s)), name


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    gold, predicted = random_pairs("iob2", 50, seed=4)
    sides = [[sentence(convert(tags, "iob2", "iob2")) for tags in side] for side in (gold, predicted)]
    intervals = [evaluate(*sides, samples=200, seed=seed).ci95 for seed in (1, 1, 2)]
    assert intervals[0] == intervals[1] != intervals[2]


def test_the_signature_changes_with_the_gold_alone() -> None:
    signature = evaluate(GOLD, GUESS).signature
    assert re.fullmatch(r"onomast:[\w.]+\|scheme:iob2\|orphan:conlleval\|n:3\|sha:[0-9a-f]{12}", signature)
    assert evaluate(GOLD, GOLD).signature == signature
    assert evaluate(GUESS, GUESS).signature != signature
    assert evaluate(GOLD, GUESS, orphan="strict").signature == signature.replace("conlleval", "strict")


def flattened(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        return {key: leaf for name, item in value.items() for key, leaf in flattened(item, f"{path}.{name}").items()}
    return {path.lstrip("."): value}


def full_report() -> Report:
    gold = [dataclasses.replace(one, pos=("N",) * len(one), label="news") for one in GOLD]
    guess = [dataclasses.replace(one, pos=("V",) * len(one), label="news") for one in GUESS]
    report = evaluate(gold, guess, train=TRAIN, samples=50)
    return dataclasses.replace(report, seconds={"train": 1.5, "tag": 0.5}, repairs={"KIND": 2}, tokens_per_second=20)


def documented_fields() -> set[str]:
    """The fields in the tables of the page on scores: `code` in the first cell of a row, before pairs are described."""
    page = (Path(__file__).parents[1] / "docs" / "explanation" / "scores.md").read_text(encoding="utf-8")
    section = page.split("## The fields of a report")[1].split("\n## ")[0]
    return {name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`(.+?)`", row)}


def test_the_json_has_exactly_the_documented_fields() -> None:
    fields = set(flattened(full_report().to_json()))
    general = {re.sub(r"\b(LOC|ORG|PER)\b", "LABEL", field) for field in fields}
    assert general == documented_fields()


def test_the_json_is_valid_and_its_figures_lie_in_0_to_1() -> None:
    text = json.dumps(full_report().to_json(), allow_nan=False)
    figures = flattened(json.loads(text))
    for field, value in figures.items():
        if field.split(".")[-1] in ("precision", "recall", "f1", "accuracy", "macro_f1", "weighted_f1"):
            assert 0 <= value <= 1 and not math.isnan(value), field
    assert figures["entities.micro.f1"] == full_report().micro.f1
    assert figures["entities.micro.ci95"] == list(full_report().ci95)
    assert figures["without_leaked.sentences"] == 2


@given(span_pairs())
def test_micro_counts_are_set_sizes(pair: Pair) -> None:
    length = max((span.end for span in (*pair.gold, *pair.predicted)), default=1)
    report = evaluate([sentence(tags_of(pair.gold, length))], [sentence(tags_of(pair.predicted, length))], samples=1)
    both = len(set(pair.gold) & set(pair.predicted))
    assert dataclasses.astuple(report.micro) == (both, len(pair.predicted), len(pair.gold))
    wrong = sum(report.errors[kind] for kind in ("missed", "wrong_border", "wrong_label", "wrong_border_and_label"))
    assert wrong == len(pair.gold) - both
