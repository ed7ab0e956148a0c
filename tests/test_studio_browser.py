"""The studio in a real browser: Debian's chromium, driven by Playwright. Marker `browser`."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onomast import Span, read
from onomast.data.catalogue import resolve
from studio_browser import CHROMIUM, Keyboard, chromium, gold_of, start_studio, studio

pytest.importorskip("playwright", reason="playwright is not installed: pip install playwright")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this system: apt-get install chromium"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
EXPECTED = ("409", "ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET")  # a refused change, a killed server
LABELS = ("PER", "LOC", "ORG", "DATE")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 860}, accept_downloads=True)
    made = context.new_page()
    faults: list[str] = []
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.on(
        "console",
        lambda line: (
            faults.append(line.text) if line.type == "error" and not any(one in line.text for one in EXPECTED) else None
        ),
    )
    made.set_default_timeout(20_000)
    yield made
    context.close()
    assert not faults


def bring_in(page: Any, url: str, path: Path, labels: str = "PER LOC ORG DATE") -> None:
    """Import a file and make labels, as the welcome page says."""
    page.goto(url)
    page.set_input_files("input[type=file]", str(path))
    page.wait_for_selector("text=All sentences")
    page.fill("input[aria-label='New labels']", labels)
    page.keyboard.press("Enter")
    page.click("text=Start labelling")
    page.wait_for_selector(".token")


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_from_raw_text_to_an_export_by_keyboard_alone(page: Any, tmp_path: Path) -> None:
    sentences = [one for part in ("train", "dev", "test") for one in read(resolve(f"sample:swahili-news/{part}"))][:200]
    gold = gold_of(sentences)
    raw = written(tmp_path / "raw.txt", *(" ".join(one.tokens) for one in sentences))
    with studio(tmp_path / "project", "--user", "asha") as url:
        bring_in(page, url, raw)
        keyboard = Keyboard(page, LABELS)
        words = entities = 0
        for _ in range(20):
            spans = gold[keyboard.tokens()]
            keyboard.label(spans)
            keyboard.finish()
            entities += len(spans)
            words += sum(span.end - span.start for span in spans)
        assert entities >= 20
        assert keyboard.presses <= 2 * words + 2 * 20, (keyboard.presses, words)
        keyboard.skip_to_suggestion()  # it has learnt, and suggests by itself
        suggested = keyboard.spans()
        shown = keyboard.tokens()
        keyboard.finish()
        page.goto(url.partition("?")[0] + "#data")
        with page.expect_download() as download:
            page.click("text=Download 21 finished sentences")
        download.value.save_as(tmp_path / "labelled.conll")
    back = read(tmp_path / "labelled.conll")
    assert len(back) == 21
    for one in back:
        assert one.spans == (suggested if one.tokens == shown else gold[one.tokens])


@pytest.mark.parametrize("line", ["وزیر اعظم عمران خان لاہور گئے ۔", "زار الرئيس محمد علي القاهرة أمس ."])
def test_right_to_left_arrows_move_in_reading_order(page: Any, tmp_path: Path, line: str) -> None:
    with studio(tmp_path / "project") as url:
        bring_in(page, url, written(tmp_path / "raw.txt", line, line + " x"))
        keyboard = Keyboard(page, LABELS)
        left = page.evaluate(
            "(place) => document.querySelector(`[data-place='${place}']`).getBoundingClientRect().left", 0
        )
        keyboard.press("ArrowLeft")
        assert keyboard.selected() == (1, 2)
        assert page.evaluate("document.querySelector(\"[data-place='1']\").getBoundingClientRect().left") < left
        keyboard.press("Shift+ArrowLeft")
        keyboard.press("1")
        assert keyboard.spans() == [Span(1, 3, "PER")]
        keyboard.press("ArrowRight")
        assert keyboard.selected() == (1, 2)


def test_thai_words_are_split_and_joined(page: Any, tmp_path: Path) -> None:
    with studio(tmp_path / "project") as url:
        bring_in(page, url, written(tmp_path / "raw.txt", "นายสมชายไปเชียงใหม่"))
        keyboard = Keyboard(page, LABELS)
        before = keyboard.tokens()
        keyboard.press("Shift+ArrowRight")
        keyboard.press("j")
        page.wait_for_function("(n) => document.querySelectorAll('.sentence .token').length === n", arg=len(before) - 1)
        assert keyboard.tokens() == (before[0] + before[1], *before[2:])
        keyboard.press("/")
        page.wait_for_selector(".split button:focus")
        keyboard.press("Enter")
        page.wait_for_function("(n) => document.querySelectorAll('.sentence .token').length === n", arg=len(before))
        assert "".join(keyboard.tokens()) == "".join(before)
        keyboard.press("u")
        page.wait_for_function("(n) => document.querySelectorAll('.sentence .token').length === n", arg=len(before) - 1)


def test_emoji_and_markup_are_text(page: Any, tmp_path: Path) -> None:
    evil = "Asha 👩‍👩‍👧 <script>alert(1)</script> <img src=x onerror=alert(2)> Mombasa 😀"
    with studio(tmp_path / "project") as url:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        bring_in(page, url, written(tmp_path / "raw.txt", evil))
        keyboard = Keyboard(page, LABELS)
        assert (
            "👩‍👩‍👧" in keyboard.tokens()
            and page.evaluate("document.querySelectorAll('main img, main script').length") == 0
        )
        place = keyboard.tokens().index("Mombasa")
        keyboard.select(place, place + 1)
        keyboard.press("2")
        keyboard.press("Enter")
        page.wait_for_selector("text=Nothing left")
        page.goto(url.partition("?")[0] + "#data")
        page.select_option("text=Format >> xpath=../select", "jsonl")
        with page.expect_download() as download:
            page.click("text=Download 1 finished")
        download.value.save_as(tmp_path / "labelled.jsonl")
    (one,) = read(tmp_path / "labelled.jsonl")
    assert one.text == evil and [one.span_text(span) for span in one.spans] == ["Mombasa"]


def test_two_browsers_never_lose_a_label(browser: Any, page: Any, tmp_path: Path) -> None:
    raw = written(tmp_path / "raw.txt", "Asha yuko Mombasa leo .")
    with studio(tmp_path / "project", "--user", "asha") as url:
        bring_in(page, url, raw)
        context = browser.new_context()
        other = context.new_page()
        other.goto(url)
        other.evaluate("localStorage.setItem('onomast-user', 'juma')")
        other.goto(url.partition("?")[0] + "#label/1")
        other.wait_for_selector(".token")
        first, second = Keyboard(page, LABELS), Keyboard(other, LABELS)
        first.press("1")
        first.saved()
        second.press("2")  # it has seen the sentence without the label: refused, and loaded again
        other.wait_for_selector(".message.bad")
        assert second.spans() == [Span(0, 1, "PER")]
        second.press("End")
        second.press("ArrowLeft")
        second.press("ArrowLeft")
        second.press("2")
        second.saved()
        page.wait_for_selector("text=juma changed this sentence")  # the first sees the second
        assert first.spans() == [Span(0, 1, "PER"), Span(2, 3, "LOC")]
        context.close()


def test_a_server_killed_between_two_clicks_loses_nothing(page: Any, tmp_path: Path) -> None:
    raw = written(tmp_path / "raw.txt", *(f"Asha yuko Mombasa na Juma{i} ." for i in range(8)))
    process, url = start_studio(tmp_path / "project")
    try:
        bring_in(page, url, raw)
        for number in range(1, 4):
            page.wait_for_selector(".token")
            keyboard = Keyboard(page, LABELS)
            keyboard.press("1")
            keyboard.finish()
            kill(process)
            process, url = start_studio(tmp_path / "project")
            page.goto(url)
            page.goto(url.partition("?")[0] + "#label")
            page.wait_for_selector(f"text={number} of 8 done")
    finally:
        kill(process)


def kill(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def test_mouse_touch_undo_not_sure_and_same_everywhere(page: Any, tmp_path: Path) -> None:
    raw = written(tmp_path / "raw.txt", "Asha na Asha wako Dar es Salaam .", "Asha yuko Dar es Salaam .")
    with studio(tmp_path / "project") as url:
        bring_in(page, url, raw)
        page.goto(url.partition("?")[0] + "#label/1")
        page.wait_for_selector(".context")
        keyboard = Keyboard(page, LABELS)
        page.wait_for_function("() => window.onomastShown === 1")
        first, last = (page.locator(f"[data-place='{place}']").bounding_box() for place in (4, 6))
        page.mouse.move(first["x"] + 5, first["y"] + 9)
        page.mouse.down()
        page.mouse.move(last["x"] + 9, last["y"] + 9, steps=5)
        page.mouse.up()
        page.click(".labels button:has-text('LOC')")
        assert keyboard.spans() == [Span(4, 7, "LOC")]
        page.click("[data-place='0']")
        keyboard.press("1")
        keyboard.press("a")
        assert keyboard.spans() == [Span(0, 1, "PER"), Span(2, 3, "PER"), Span(4, 7, "LOC")]
        page.wait_for_selector(".context mark")
        page.click("[data-place='3']")
        keyboard.press("n")
        page.wait_for_selector(".token.unsure")
        keyboard.saved()
        keyboard.press("Backspace")
        page.click("[data-place='5']")
        keyboard.press("Backspace")
        assert Span(4, 7, "LOC") not in keyboard.spans()
        keyboard.saved()
        keyboard.press("u")
        page.wait_for_function("() => document.querySelectorAll('.sentence .span').length === 3")


def test_every_tab_opens_and_works_on_a_phone(browser: Any, tmp_path: Path) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    with studio(tmp_path / "project", "--add", "sample:swahili-news/train") as url:
        page.goto(url)
        for tab in ("data", "label", "progress", "mistakes", "suspects", "try", "taggers"):
            page.goto(url.partition("?")[0] + f"#{tab}")
            page.wait_for_selector("main .card")
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), tab
            if tab == "mistakes":
                page.click("text=Compare the tagger with your labels")
                page.frame_locator("iframe").locator("text=F1").first.wait_for(timeout=60_000)
    context.close()
    assert not faults
