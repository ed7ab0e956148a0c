"""Take the pictures of docs/how-to/studio.md: a real run, from a text file to a tagger, labelled by keyboard.

    python docs/studio_pictures.py

Needs playwright and chromium. The text is the shipped sample of Swahili, whose labels serve as the person's knowledge.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from onomast import read
from onomast.data.catalogue import resolve

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from studio_browser import Keyboard, chromium, gold_of, studio

PICTURES = Path(__file__).parent / "how-to" / "studio"
LABELS = ("PER", "LOC", "ORG", "DATE")
GUIDELINES = (
    "names of people, without titles",
    "places, also inside longer names",
    "companies, clubs, parties",
    "days, months, years",
)
NUMBER = 40
TEXT = "Rais Samia Suluhu alifika Mombasa Jumatatu. Juma Kamau wa Yanga alimkaribisha."


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    sentences = [one for part in ("train", "dev", "test") for one in read(resolve(f"sample:swahili-news/{part}"))]
    gold = gold_of(sentences)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        raw = Path(folder) / "news.txt"
        raw.write_text("\n".join(" ".join(one.tokens) for one in sentences), encoding="utf-8")
        with studio(Path(folder) / "swahili", "--user", "asha") as url:
            page = browser.new_page(viewport={"width": 1180, "height": 800})
            page.goto(url)
            page.wait_for_selector("text=Welcome")
            take(page, "welcome")
            bring_in(page, raw)
            label(page, gold)
            see(page, url.partition("?")[0])


def take(page: Any, name: str) -> None:
    page.wait_for_timeout(400)
    page.screenshot(path=PICTURES / f"{name}.png")
    print(PICTURES / f"{name}.png")


def bring_in(page: Any, raw: Path) -> None:
    page.set_input_files("input[type=file]", raw)
    page.wait_for_selector("text=All sentences")
    page.click("text=PER LOC ORG DATE")
    page.wait_for_selector("text=Labels and guidelines")
    for name, guideline in zip(LABELS, GUIDELINES, strict=True):
        page.fill(f"input[aria-label='Guideline of {name}']", guideline)
    page.click("text=Save changes")
    page.wait_for_selector("text=Labels saved")
    page.evaluate("document.querySelectorAll('main .card')[1].scrollIntoView()")
    page.evaluate("scrollBy(0, -110)")
    take(page, "data")
    page.click("text=Start labelling")


def label(page: Any, gold: Any) -> None:
    page.wait_for_selector(".token")
    keyboard = Keyboard(page, LABELS)
    for number in range(NUMBER):
        spans = gold.get(keyboard.tokens(), [])
        if number == 4:
            page.wait_for_selector(".message", state="detached")
            keyboard.label(spans)
            take(page, "label")
        if number == 25:
            page.wait_for_selector(".span.suggested", timeout=60_000)
            take(page, "suggestions")
        keyboard.label(spans)
        keyboard.finish()
    print(f"{NUMBER} sentences, {keyboard.presses} key presses")


def see(page: Any, url: str) -> None:
    work(page, f"{url}#progress", "text=Draw the learning curve", "main svg circle")
    take(page, "progress")
    work(page, f"{url}#mistakes", "text=Compare the tagger with your labels", "iframe")
    page.wait_for_timeout(1_000)
    take(page, "mistakes")
    work(page, f"{url}#suspects", "text=Look for suspects", "text=Last done")
    take(page, "suspects")
    work(page, f"{url}#taggers", "text=Train from", "text=crf-")
    take(page, "taggers")
    page.goto(f"{url}#try")
    page.fill("textarea", TEXT)
    page.click("text=Find the names")
    page.wait_for_selector(".sentence p")
    take(page, "try")


def work(page: Any, address: str, button: str, ready: str) -> None:
    page.goto(address)
    page.click(button)
    page.wait_for_selector(ready, timeout=120_000)


if __name__ == "__main__":
    main()
