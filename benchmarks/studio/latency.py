"""How fast is the studio? Start, and from a key to the changed page, with 10,000 sentences in the project.

    python benchmarks/studio/latency.py

In a real browser (chromium, headless). A key is answered when the page has changed and the next frame is about to be
drawn. Arrow: move. 1: label (drawn at once, then saved). Enter: finish, save, and show the next sentence.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent / "tests")]
from pages import write_page  # noqa: E402

from studio_browser import Keyboard, chromium, studio  # noqa: E402

NUMBER, KEYS = 10_000, 50
WATCH = """() => {
  window.times = [];
  let began = null, pressed = null;
  window.saved = [];
  document.addEventListener('keydown', () => { began = pressed = performance.now(); }, true);
  new MutationObserver(() => {
    const busy = document.querySelector('.saved.busy');
    if (busy) window.wasBusy = true;
    if (!busy && window.wasBusy && pressed != null) {
      window.saved.push(performance.now() - pressed);
      window.wasBusy = false;
      pressed = null;
    }
    if (began == null) return;
    if (window.waitForNext && window.onomastShown === window.before) return;
    const start = began;
    began = null;
    requestAnimationFrame(() => window.times.push(performance.now() - start));
  }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
}"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        raw = Path(folder) / "raw.txt"
        lines = (
            f"Asha Kamau {number} alifika Mombasa na Juma Otieno wa Nairobi leo asubuhi ." for number in range(NUMBER)
        )
        raw.write_text("\n".join(lines), encoding="utf-8")
        project = Path(folder) / "project"
        with studio(project, "--add", str(raw)):
            pass
        began = time.perf_counter()
        with studio(project) as url:
            started = time.perf_counter() - began
            rows = [row_of(*one) for one in measure(browser.new_page(), url).items()]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end"
    lines = [
        f"{NUMBER:,} sentences; {machine}. Start, until the address is printed: {started:.2f} s. Milliseconds:",
        "", "| key | presses | median | 95 % below | longest |", "| --- | --- | --- | --- | --- |", *rows,
    ]  # fmt: skip
    write_page(HERE / "README.md", "\n".join(lines), "python benchmarks/studio/latency.py")
    print("\n".join(lines))


def measure(page: Any, url: str) -> dict[str, list[float]]:
    page.goto(url)
    page.fill("input[aria-label='New labels']", "PER LOC")
    page.keyboard.press("Enter")
    page.click("text=Start labelling")
    page.wait_for_selector(".token")
    page.evaluate(WATCH)
    keyboard = Keyboard(page, ("PER", "LOC"))
    found: dict[str, list[float]] = {}
    for name, key in (("arrow", "ArrowRight"), ("1 (label)", "1"), ("Enter (next sentence)", "Enter")):
        page.evaluate("window.times = []; window.saved = []")
        for number in range(KEYS):
            if key == "Enter":
                page.wait_for_timeout(500)  # a person looks at a sentence at least so long
                page.evaluate("() => { window.waitForNext = true; window.before = window.onomastShown; }")
            if name == "arrow" and number % 8 == 0:
                page.keyboard.press("Home")
            count = page.evaluate("window.times.length")
            if key == "1":
                page.keyboard.press("ArrowRight" if number % 2 else "ArrowLeft")
                page.wait_for_timeout(20)
                count = page.evaluate("window.times.length")
            page.keyboard.press(key)
            page.wait_for_function("(count) => window.times.length > count", arg=count, timeout=20_000)
            keyboard.saved()
            if key == "1":
                found.setdefault(name, []).append(page.evaluate("window.times[window.times.length - 1]"))
        if key != "1":
            found[name] = page.evaluate("window.times")
        if key != "ArrowRight":
            found[f"{name}, until it is on the disk"] = page.evaluate("window.saved")
    return found


def row_of(name: str, times: list[float]) -> str:
    ordered = sorted(times)
    high = ordered[int(0.95 * len(ordered))]
    return f"| {name} | {len(times)} | {statistics.median(times):.0f} | {high:.0f} | {ordered[-1]:.0f} |"


if __name__ == "__main__":
    main()
