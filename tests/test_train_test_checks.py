"""Test data that do not fit the training data: warned of first, in terminal, Markdown, HTML and JSON."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from onomast.evaluation import render
from onomast.evaluation.page import render_html
from onomast.evaluation.report import Report, evaluate
from onomast.sentence import Sentence

TRAIN = [Sentence(("Asha", "huko", name), ("B-PER", "O", "B-LOC")) for name in ("Tanga", "Moshi", "Dodoma")]
TEST = [Sentence(("Juma", "huko", name), ("B-PER", "O", "B-LOC")) for name in ("Arusha", "Mwanza")]


def relabelled(sentences: list[Sentence], old: str, new: str) -> list[Sentence]:
    return [one.tagged([str(tag).replace(old, new) for tag in one.tags or ()]) for one in sentences]


def everywhere(report: Report, gold: list[Sentence], predicted: list[Sentence]) -> list[str]:
    """The first lines of the terminal, of Markdown, and of the body of the HTML page."""
    console = Console(file=io.StringIO(), width=400)
    render.render_terminal(report, console)
    assert isinstance(console.file, io.StringIO)
    body = render_html(report, gold, predicted, "title").split("<body>")[1].split("</section>")[0]
    return [console.file.getvalue().splitlines()[0], render.render_markdown(report).splitlines()[0], body]


def test_a_test_file_that_was_trained_on_is_warned_of_and_leaves_a_dash() -> None:
    report = evaluate(TRAIN, TRAIN, train=TRAIN, samples=20)
    assert report.micro.f1 == 1.0
    for text in everywhere(report, TRAIN, TRAIN):
        assert "all 3 test sentences occur in the training data" in text
    assert report.without_leaked is None and report.to_json()["without_leaked"] is None
    [row] = [line for line in render.render_markdown(report).splitlines() if line.startswith("| without leaked")]
    assert row == "| without leaked | – | – | – |  | 0 |"
    assert report.to_json()["warnings"] == list(report.warnings)


def test_some_leaked_sentences_are_warned_of_with_the_score_of_the_others() -> None:
    gold = [*TEST, TRAIN[0]]
    report = evaluate(gold, [*TEST, TRAIN[0].tagged(("O", "O", "O"))], train=TRAIN, samples=20)
    assert report.warnings == ("1 of 3 test sentences (33 %) occur in the training data; F1 on the others is 100.00",)


def test_one_leaked_sentence_in_hundreds_is_a_fact_and_no_warning() -> None:
    gold = [*(Sentence((f"w{number}",), ("O",)) for number in range(199)), TRAIN[0]]
    report = evaluate(gold, gold, train=TRAIN, samples=20)
    assert report.warnings == () and "| leaked" not in render.render_markdown(report)
    assert "leaked: 1 of 200 sentences in training" in render.render_markdown(report)


def test_label_sets_without_a_common_label_are_warned_of() -> None:
    gold = relabelled(relabelled(TEST, "LOC", "GPE"), "PER", "PERSON")
    report = evaluate(gold, TEST, train=TRAIN, samples=20)
    for text in everywhere(report, gold, TEST):
        assert "no label in common (test: GPE (2), PERSON (2); tagger: LOC, PER)" in text
    assert any("no label in common" in one for one in evaluate(gold, TEST, samples=20).warnings)


def test_labels_that_only_one_side_has_are_named_with_their_numbers() -> None:
    gold = relabelled(TEST, "LOC", "GPE")
    unlearned, unknown = evaluate(gold, TEST, train=TRAIN, samples=20).warnings
    assert unlearned.startswith("the test data have labels that do not occur in training: GPE (2);")
    assert unknown.startswith("labels are predicted that do not occur in the test data: LOC (2);")
    nothing_said = [one.tagged(["O"] * 3) for one in TEST]
    assert evaluate(TEST, nothing_said, samples=20).warnings == ()  # not predicted is not the same as unknown


@pytest.mark.parametrize("train", [(), TRAIN])
def test_data_that_fit_raise_no_warning(train: list[Sentence]) -> None:
    report = evaluate(TEST, TEST, train=train, samples=20)
    assert report.warnings == ()
    assert "WARNING" not in everywhere(report, TEST, TEST)[0]
