"""The HTML page: everything of the sentences is in it, escaped, and it fetches nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from onomast.data.formats.registry import write
from onomast.data.html_page import _chunks
from onomast.sentence import Sentence


class Page(HTMLParser):
    """Collects the text of paragraphs and the entities in them; checks that tags are closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.paragraphs: list[str] = []
        self.entities: list[tuple[str, str]] = []
        self.directions: list[str | None] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "meta":
            return
        self.open.append(tag)
        if tag == "p":
            self.paragraphs.append("")
            self.directions.append(dict(attrs).get("dir"))
        if tag == "mark" and "p" in self.open:
            self.entities.append(("", ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "p" not in self.open or "small" in self.open:
            return
        if "mark" in self.open:
            text, label = self.entities[-1]
            self.entities[-1] = (text, label + data) if "b" in self.open else (text + data, label)
        if "b" not in self.open:
            self.paragraphs[-1] += data


def page_of(*sentences: Sentence) -> Page:
    return Page("".join(_chunks(sentences)))


def test_entities_stand_in_their_sentence_with_their_label() -> None:
    page = page_of(
        Sentence(("<b>Amina</b>", "&", "Kano"), tags=("B-PER", "O", "B-<LOC>"), label="x & y"),
        Sentence(
            ("\u0645\u0635\u0631", "."), tags=("B-LOC", None), text="\u0645\u0635\u0631.", offsets=((0, 3), (3, 4))
        ),
    )
    assert page.paragraphs == ["<b>Amina</b> & Kano", "\u0645\u0635\u0631."]
    assert page.entities == [("<b>Amina</b>", "PER"), ("Kano", "<LOC>"), ("\u0645\u0635\u0631", "LOC")]
    assert page.directions == ["auto", "auto"]


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5), min_size=1, max_size=5)
)
def test_no_text_breaks_the_page(tokens: list[str]) -> None:
    page = page_of(
        Sentence(tuple(tokens), tags=("B-X", *["I-X"] * (len(tokens) - 1)), label=tokens[0], language=tokens[0])
    )
    assert page.paragraphs == [" ".join(tokens)]
    assert page.entities == [(" ".join(tokens), "X")]


def test_the_page_stands_alone(tmp_path: Path) -> None:
    write([Sentence(("Kano", "."), tags=("B-LOC", "O"), confidence=(0.5, 1.0))], tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert not re.search(r"https?:|<script|<link|src=|url\(", text)
    assert 'title="confidence 0.50"' in text
    assert "1 sentences" not in text and "1 sentence" in text
    assert re.search(r"<mark[^>]*>LOC</mark> 1", text)
