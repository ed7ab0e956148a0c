"""A real studio in a real browser: starting it, and labelling by keyboard alone like someone who knows the answer."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from onomast import Sentence, Span

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)


def start_studio(folder: Path, *words: str) -> tuple[subprocess.Popen[str], str]:
    """The process of a real studio, and its address with the token."""
    code = "from onomast.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "studio", str(folder), "--no-browser", *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://\S+", line):
            return process, found[0]
    raise AssertionError("the studio printed no address")


@contextmanager
def studio(folder: Path, *words: str) -> Iterator[str]:
    """The address of a studio that runs as long as the block."""
    process, url = start_studio(folder, *words)
    try:
        yield url
    finally:
        process.kill()
        process.communicate()


@contextmanager
def chromium() -> Iterator[Any]:
    """The system's browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Keyboard:
    """Labels the sentence on the page by keys alone, and counts them."""

    def __init__(self, page: Any, labels: Sequence[str]) -> None:
        self.page = page
        self.labels = list(labels)
        self.presses = 0

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.presses += 1

    def tokens(self) -> tuple[str, ...]:
        """What the page shows."""
        return tuple(
            self.page.evaluate("[...document.querySelectorAll('.sentence .token')].map((one) => one.textContent)")
        )

    def selected(self) -> tuple[int, int]:
        places = self.page.evaluate(
            "[...document.querySelectorAll('.sentence .token.selected')].map((one) => Number(one.dataset.place))"
        )
        return min(places), max(places) + 1

    def spans(self) -> list[Span]:
        """Labelled or suggested on the page."""
        found = self.page.evaluate(
            """[...document.querySelectorAll('.sentence .span')].map((one) => {
              const places = [...one.querySelectorAll('.token')].map((word) => Number(word.dataset.place));
              const label = one.querySelector('.name').innerText.split(' ')[0];
              return [Math.min(...places), Math.max(...places) + 1, label];
            })"""
        )
        return [Span(*one) for one in found]

    def label(self, gold: Sequence[Span]) -> None:
        """Make the labels of the page those of `gold`: jump, extend, label; remove what is wrong."""
        for span in gold:
            if span not in self.spans():
                self.select(span.start, span.end)
                self.press(str((self.labels.index(span.label) + 1) % 10))
        for span in self.spans():
            if span not in gold:
                self.select(span.start, span.end)
                self.press("Backspace")

    def select(self, start: int, end: int) -> None:
        right_to_left = self.page.evaluate("getComputedStyle(document.querySelector('.sentence')).direction") == "rtl"
        onward, back = ("ArrowLeft", "ArrowRight") if right_to_left else ("ArrowRight", "ArrowLeft")
        before = -1
        while (here := self.selected())[0] < start and here[0] > before:
            before = here[0]
            near = start - here[1] + 1 <= 1
            self.press(onward if near else "Space")
        while self.selected()[0] > start:
            self.press(back)
        while self.selected()[0] < start:
            self.press(onward)
        if self.selected() != (start, end) and self.selected()[1] > end:
            self.press("Escape")  # a group of likely names: begin again at its first word
            while self.selected()[0] > start:
                self.press(back)
        while self.selected()[1] < end:
            self.press(f"Shift+{onward}")

    def finish(self) -> None:
        """Enter, and wait until the next sentence is there and all is saved."""
        before = self.page.evaluate("window.onomastShown")
        self.press("Enter")
        self.page.wait_for_function("(before) => window.onomastShown !== before", arg=before)
        self.saved()

    def skip_to_suggestion(self) -> None:
        """Wait for a suggestion of the tagger; skip sentences in which it finds nothing, twelve at most."""
        from playwright.sync_api import TimeoutError as NothingYet

        for _ in range(12):
            with suppress(NothingYet):
                self.page.wait_for_selector(".span.suggested", timeout=5_000)
                return
            before = self.page.evaluate("window.onomastShown")
            self.press("s")
            self.page.wait_for_function("(before) => window.onomastShown !== before", arg=before)
        raise AssertionError("no suggestion in twelve sentences")

    def saved(self) -> None:
        """Wait until the page says so."""
        self.page.wait_for_selector(".saved:not(.busy)")


def gold_of(sentences: Sequence[Sentence]) -> dict[tuple[str, ...], list[Span]]:
    """Entities by tokens."""
    return {one.tokens: one.spans for one in sentences}
