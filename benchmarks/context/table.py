"""Make the tables of README.md from rows.jsonl: mean F1 over seeds, and what each training took.

python benchmarks/context/table.py            prints them
python benchmarks/context/table.py --write    puts them into README.md, between the two marks
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from run import HERE, LANGUAGES, rows_of

START, END = "<!-- tables -->", "<!-- end of tables -->"


def table(rows: Iterable[dict[str, Any]]) -> str:
    """One line for each recipe, its changes, sources and budget; `-` where a language has no row yet."""
    cells: dict[tuple[str, ...], dict[str, dict[int, dict[str, Any]]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        name = (row["recipe"], " ".join(row["changes"]), row["sources"], str(row["budget"]))
        cells[name][row["language"]][row["seed"]] = row
    titles = "recipe", "changes", "sources", "labels", *LANGUAGES, "mean", "seeds", "minutes", "peak GB"
    lines = [f"| {' | '.join(titles)} |", f"|{' --- |' * len(titles)}"]
    for name, languages in sorted(cells.items(), key=lambda cell: (int(cell[0][3]), cell[0])):
        means = {language: statistics.mean(row["f1"] for row in by.values()) for language, by in languages.items()}
        figures = [f"{100 * means[one]:.1f}" if one in means else "-" for one in LANGUAGES]
        complete = f"{100 * statistics.mean(means.values()):.1f}" if set(means) >= set(LANGUAGES) else "-"
        every = [row for by in languages.values() for row in by.values()]
        seeds = sorted({len(by) for by in languages.values()})
        minutes = statistics.median(row["seconds"]["train"] for row in every) / 60
        peak = max(row["peak_gb"] for row in every)
        count = f"{seeds[0]}-{seeds[-1]}" if len(seeds) > 1 else str(seeds[0])
        lines.append(f"| {' | '.join([*name, *figures, complete, count, f'{minutes:.1f}', f'{peak:.2f}'])} |")
    return "\n".join(lines)


def main() -> None:
    parts = []
    for title, file in (("Whole test files", "rows.jsonl"), ("Dev files, to choose values", "tuning.jsonl")):
        rows = rows_of(HERE / file)
        if rows:
            parts.append(f"### {title}\n\n{table(rows)}")
    text = "\n\n".join(parts)
    if "--write" not in sys.argv:
        print(text)
        return
    page = HERE / "README.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{START}\n\n{text}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
