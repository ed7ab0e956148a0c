"""The HTML page of a report: whole, self-contained, safe whatever the files hold, and saying what the report says."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from onomast.evaluation import page as page_module
from onomast.evaluation.page import render_html
from onomast.evaluation.report import evaluate
from onomast.sentence import Sentence, Span
from onomast.tags import tags_of

VOID = {"meta", "input", "br", "path", "rect", "line", "link", "img"}
NASTY = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "&amp;",
    '"quoted"',
    "'",
    "\u2028",
    " ",
    "\u202eright-to-left override",
    "\u0645\u0631\u062d\u0628\u0627",
    "\u1019\u103c\u1014\u103a\u1019\u102c",
    "\U0001f600",
)


class Page(HTMLParser):
    """What a browser would find: elements, text outside scripts, the data, unbalanced tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif not self.open or self.open[-1] != "style":
            self.texts.append(data)

    @property
    def data(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.scripts[0])
        return parsed


def sentence(tokens: tuple[str, ...], *spans: Span, source: str | None = None) -> Sentence:
    return Sentence(tokens, tags_of(spans, len(tokens)), source=source)


def pair(label: str = "PER") -> tuple[list[Sentence], list[Sentence]]:
    """Gold and predicted sentences with a mistake of every kind, and one sentence that is right."""
    tokens = ("Asha", "Juma", "alikwenda", "Dar", "es", "Salaam", "na", "Benki", "Kuu", ".")
    gold = [
        sentence(tokens, Span(0, 2, label), Span(3, 6, "LOC"), Span(7, 9, "ORG"), source="made/up.txt:1"),
        sentence(tokens, Span(0, 2, label), Span(3, 6, "LOC"), source="made/up.txt:12"),
        sentence(tokens, Span(0, 1, label)),
    ]
    predicted = [
        sentence(tokens, Span(0, 1, label), Span(3, 6, "ORG"), Span(8, 10, "LOC")),
        sentence(tokens, Span(0, 2, label), Span(7, 9, "ORG")),
        sentence(tokens, Span(0, 1, label)),
    ]
    return gold, predicted


def drawn(gold: list[Sentence], predicted: list[Sentence], title: str = "a title") -> str:
    return render_html(evaluate(gold, predicted, samples=50), gold, predicted, title)


def random_pair(seed: int) -> tuple[list[Sentence], list[Sentence]]:
    generator = random.Random(seed)
    sides: tuple[list[Sentence], list[Sentence]] = ([], [])
    for number in range(30):
        tokens = tuple(generator.choices(NASTY, k=generator.randint(1, 9)))
        for side in sides:
            tags = generator.choices(["O", "B-LOC", "I-LOC", "B-<b>", "I-<b>"], k=len(tokens))
            side.append(Sentence(tokens, tuple(tags), source=f"<i>{number}</i>"))
    return sides


def test_page_loads_nothing() -> None:
    text = drawn(*pair())
    page = Page(text)
    assert ("meta", "content", page_module._POLICY) in page.attributes
    assert page_module._POLICY.startswith("default-src 'none'")
    assert not page.elements.keys() & {"link", "img", "iframe", "object", "base"}
    assert not [item for item in page.attributes if item[1] in ("src", "href", "srcset", "action")]
    assert not re.findall(r"https?://|@import|url\(|fetch\(|XMLHttpRequest|innerHTML|eval\(", text)


@pytest.mark.parametrize("seed", range(5))
def test_elements_are_balanced_and_nothing_from_the_files_becomes_markup(seed: int) -> None:
    plain = Page(drawn(*pair()))
    gold, predicted = random_pair(seed)
    page = Page(drawn(gold, predicted, title="".join(NASTY)))
    assert page.open == []
    assert page.elements["script"] == 2
    assert not page.elements.keys() - plain.elements.keys()
    assert not [item for item in page.attributes if item[1].startswith("on")]
    assert "".join(NASTY) in page.texts
    tokens = {tuple(one["tokens"]) for one in page.data["sentences"]}
    assert tokens <= {one.tokens for one in gold}


def test_lone_surrogates_do_not_stop_the_page() -> None:
    gold = [Sentence(("\ud800", "x"), ("B-LOC", "O"))]
    predicted = [Sentence(("\ud800", "x"), ("O", "B-LOC"))]
    drawn(gold, predicted, "\udfff").encode("utf-8")


@pytest.mark.parametrize("seed", range(5))
def test_browser_holds_every_mistake_of_the_report_once(seed: int) -> None:
    gold, predicted = random_pair(seed)
    report = evaluate(gold, predicted, samples=50)
    data = Page(render_html(report, gold, predicted, "")).data
    kinds = Counter(mistake[0] for one in data["sentences"] for mistake in one["mistakes"])
    assert kinds == Counter(report.errors)
    for one in data["sentences"]:
        for side, place in (("gold", 1), ("predicted", 2)):
            wrong = [mistake[place] for mistake in one["mistakes"] if mistake[place] >= 0]
            other = one["predicted" if side == "gold" else "gold"]
            right = [number for number, span in enumerate(one[side]) if span in other]
            assert sorted(wrong + right) == list(range(len(one[side])))


def test_kinds_sources_and_confidence_reach_the_browser() -> None:
    gold, predicted = pair()
    assert predicted[0].tags is not None
    predicted[0] = predicted[0].tagged(predicted[0].tags, [0.9, 0.2, 1, 0.5, 0.25, 0.75, 1, 1, 0.125, 0.5])
    data = Page(drawn(gold, predicted)).data
    first, second = data["sentences"]
    assert (first["source"], second["source"]) == ("made/up.txt:1", "made/up.txt:12")
    assert first["mistakes"] == [["wrong_border", 0, 0], ["wrong_label", 1, 1], ["wrong_border_and_label", 2, 2]]
    assert second["mistakes"] == [["missed", 1, -1], ["spurious", -1, 1]]
    assert first["confidence"] == [0.9, 0.25, 0.125]
    assert second["confidence"] is None
    assert first["gold"] == [[0, 2, data["labels"].index("PER")], [3, 6, 0], [7, 9, 1]]
    assert len(data["sentences"]) == 2  # the third is right


def test_charts_say_what_the_report_says() -> None:
    gold, predicted = pair("A<B")
    report = evaluate(gold, predicted, train=gold[2:], samples=50)
    text = render_html(report, gold, predicted, "")
    assert f"<b>{100 * report.micro.f1:.2f}</b>" in text
    for label, score in report.label_scores.items():
        row = re.search(rf'data-label="{label.replace("<", "&lt;")}".*?</tr>', text)
        assert (
            row is not None and f"<b>{100 * score.f1:.2f}</b>" in row[0] and f"<td>{score.support}</td></tr>" in row[0]
        )
    for kind, number in report.errors.items():
        assert re.search(rf'data-kind="{kind}".*?<span class="number">{number}<', text)
    assert re.search(r'title="LOC tagged as ORG: 50.0 %" tabindex="0" data-gold="LOC" data-predicted="ORG">1<', text)
    assert "unseen entities" in text and ">seen<" in text


def test_page_without_a_mistake_says_so() -> None:
    gold, _ = pair()
    text = drawn(gold, gold)
    assert "There are none." in text
    assert Page(text).data["sentences"] == []


def test_page_without_an_entity_can_be_drawn() -> None:
    gold = [Sentence(("a", "b"), ("O", "O"))]
    assert Page(drawn(gold, gold)).open == []


def test_sentences_left_out_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "MOST_SENTENCES", 1)
    text = drawn(*pair())
    assert len(Page(text).data["sentences"]) == 1
    assert "The first 1 sentences with errors; 1 more are left out." in text


def test_tokens_without_annotation_are_marked() -> None:
    gold = [Sentence(("a", "b", "c"), ("B-LOC", "O", None))]
    predicted = [Sentence(("a", "b", "c"), ("O", "O", "B-LOC"))]
    (only,) = Page(drawn(gold, predicted)).data["sentences"]
    assert only["unknown"] == [2]
    assert only["mistakes"] == [["missed", 0, -1]]


def test_style_and_script_are_packaged() -> None:
    folder = Path(page_module.__file__).parent
    settings = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    for name in ("page.css", "page.js"):
        assert (folder / name).is_file()
        assert f'"evaluation/*.{name.partition(".")[2]}"' in settings
