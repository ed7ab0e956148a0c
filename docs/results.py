"""Write docs/results.md and papers/README.md: what the committed results say, in short. Called by make.py."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from onomast.experiments.analysis.claims import Verdict, verdict_of
from onomast.experiments.analysis.groups import groups_of
from onomast.experiments.analysis.statistics import Estimate
from onomast.experiments.analysis.tables import PLAIN, Line, Table, table_of, title_of
from onomast.experiments.grid import read_grid
from onomast.experiments.results import RESULTS, Row, read_results

ROOT = Path(__file__).parent.parent
PAPERS = {
    "thant-2025-myner": "Thant et al. 2025: myNER, Burmese",
    "cotterell-2017-crosslingual": "Cotterell and Duh 2017: cross-lingual neural CRFs",
    "bahad-2024-ilner": "Bahad et al. 2024: encoders for Indian languages",
    "zhong-2022-bcrf": "Zhong et al. 2022: BiLSTM with a Bernoulli CRF",
    "kruengkrai-2020-joint": "Kruengkrai et al. 2020: entities and sentence classes together",
}
WORDS = ("reproduced", "not reproduced", "undecided", "not testable")


@dataclass(frozen=True)
class Benchmark:
    """A page of benchmarks/, and which of its lines are the headline."""

    name: str
    question: str
    headline: str
    """Pattern of the lines that are shown, with the heads of their tables."""
    until: str = "\0"
    """The line that ends what is looked at."""


BENCHMARKS = (
    Benchmark(
        "label_efficiency",
        "F1 after 100 to 2,000 labelled sentences, six languages, beside sklearn-crfsuite, spaCy and Flair",
        r"\| .* \| \*\*mean\*\* \||Claim NOT|Claim .* against",
    ),
    Benchmark("encoder", "Pre-trained encoders", r"- (met|NOT MET)|Claim"),
    Benchmark("ranking", "Are those sources ranked first that help most?", r"Mean rank correlation [\d.]+ ", "## How"),
    Benchmark("label_sets", "A source without a label: is its O unknown?", r"\| (Swahili|Hausa) \| [+-]"),
    Benchmark("chains", "Hindi's labels for Telugu", r"\| (Telugu alone|Hindi and Telugu jointly)"),
    Benchmark("joint", "Parts of speech, sentence labels, tags half removed", r"\| (?!corpus|---)"),
    Benchmark("self_training", "Raw text that the tagger labels itself", r"\| \w+ \| (hau|swa) \|"),
    Benchmark("segmenter", "Thai into words, beside newmm", r"\| (onomast|newmm|character)"),
    Benchmark("neural_speed", "Speed of the neural tagger beside Flair and spaCy", r"- (met|NOT MET)"),
)


def results() -> str:
    """The whole page."""
    lines = [
        "# Results",
        "",
        "Made by `make docs` from `papers/*/results.jsonl` and the pages of `benchmarks/`; do not edit. Scores in",
        "percent, [low, high]: 95 % intervals. Every figure is that of a command; its page says seeds and sizes.",
        "",
        "## The papers",
        "",
        "A claim is *reproduced* when its interval lies above 0 and the mean reaches what the claim is about; *not",
        "reproduced* when the interval ends below that; else *undecided*; *not testable* where the runs that it",
        "needs are not there. Pairs: runs that differ in that one thing, seeds together; Δ F1 is the mean over pairs.",
        "The best rows of a paper are best by the very figures shown, theirs and ours: take them as a little too high.",
        "",
    ]
    tables = {name: table_of(path) for name in PAPERS if (path := ROOT / "papers" / name / "grid.toml").is_file()}
    lines += _summary(tables)
    for name, table in tables.items():
        lines += _paper(name, table)
    lines += ["## The benchmarks", ""]
    for benchmark in BENCHMARKS:
        lines += _benchmark(benchmark)
    return "\n".join(lines).rstrip() + "\n"


def papers() -> str:
    """papers/README.md: what there is, and how far it has come."""
    lines = [
        "# Papers, side by side with ours",
        "",
        "Made by `make docs`; do not edit. One folder for each paper: `grid.toml` (what is run), `results.jsonl` (one",
        "line a run) and `README.md` (their table, ours, what differs and why). [What came of it](../docs/results.md).",
        "",
        "    onomast grid run papers/NAME/grid.toml --jobs 2     # goes on where it was; run again, it does nothing",
        "    onomast grid table papers/NAME/grid.toml            # their numbers, ours, verdicts",
        "    onomast grid plot papers/NAME/grid.toml             # pictures",
        "",
        "`--full` runs what comes nearer to the sizes of the paper. [grids.md](../docs/grids.md) tells the rest.",
        "",
        "| paper | cells with a result | claims decided |",
        "| --- | --- | --- |",
    ]
    for name, title in PAPERS.items():
        path = ROOT / "papers" / name / "grid.toml"
        if not path.is_file():
            lines.append(f"| {title} | no grid yet | |")
            continue
        groups = groups_of(read_grid(path), path.parent)
        done, wanted = (sum(found) for found in zip(*((len(one.runs), one.wanted) for one in groups), strict=True))
        verdicts = [verdict_of(claim, groups).word for claim in read_grid(path).claim]
        decided = sum(word in WORDS[:2] for word in verdicts)
        lines.append(f"| [{title}]({name}) | {done} of {wanted} | {decided} of {len(verdicts)} |")
    return "\n".join(lines) + "\n"


def _summary(tables: dict[str, Table]) -> list[str]:
    lines = [f"| paper | runs | {' | '.join(WORDS)} |", "| --- | ---: |" + " ---: |" * len(WORDS)]
    for name, title in PAPERS.items():
        if name not in tables:
            lines.append(f"| {title} | no grid |{' |' * len(WORDS)}")
            continue
        found = Counter(verdict.word for verdict in tables[name].verdicts)
        runs = len(_done(name))
        lines.append(f"| [{title}](#{name}) | {runs} | " + " | ".join(str(found[word] or "") for word in WORDS) + " |")
    return [*lines, ""]


def _paper(name: str, table: Table) -> list[str]:
    folder = ROOT / "papers" / name
    seconds = sum(sum(row["seconds"].values()) for row in _done(name))
    page = f"[papers/{name}](../papers/{name}/README.md)" if (folder / "README.md").is_file() else f"papers/{name}"
    lines = [f"### {name}", "", f"{PAPERS[name]}. {page}; `onomast grid run papers/{name}/grid.toml --jobs 2`."]
    lines += [f"{len(_done(name))} runs, {seconds / 3600:.1f} hours of training and tagging in all.", ""]
    if table.grid.reduced:
        lines += [f"Reduced: {' '.join(table.grid.reduced.split())}.", ""]
    if table.verdicts:
        lines += ["| claim | verdict | Δ F1 | p | pairs |", "| --- | --- | --- | --- | ---: |"]
        lines += [_claim(verdict) for verdict in table.verdicts]
        lines.append("")
    return [*lines, *_best(table)]


def _best(table: Table) -> list[str]:
    """The best of their rows and the best of ours, wherever they published a number and we have one."""
    places: dict[tuple[str, str, str], list[Line]] = {}
    for line in table.lines:
        places.setdefault((line.group.corpus, line.group.size, line.score), []).append(line)
    rows = []
    for (corpus, size, score), here in places.items():
        theirs = [(line.theirs, line.group.row) for line in here if line.theirs is not None]
        ours = [(line.ours, line.group.row) for line in here if line.ours is not None]
        if score in PLAIN or not theirs or not ours:
            continue
        (published, their_row), (measured, our_row) = max(theirs), max(ours, key=lambda one: one[0].value)
        where = corpus if size == "all" else f"{corpus}, {size}"
        found = f"{100 * published:.2f} ({their_row}) | {_estimate(measured)} ({our_row})"
        rows.append(f"| {where} | {title_of(score)} | {found} |")
    if not rows:
        return []
    return ["| corpus | score | best of theirs | best of ours |", "| --- | --- | --- | --- |", *rows, ""]


def _estimate(found: Estimate) -> str:
    if found.ci95 is None:
        return f"{100 * found.value:.2f}"
    return f"{100 * found.value:.2f} [{100 * found.ci95[0]:.2f}, {100 * found.ci95[1]:.2f}]"


def _claim(verdict: Verdict) -> str:
    change = verdict.difference
    text = verdict.claim.text.replace("|", "\\|")
    if change is None:
        return f"| {text} | {verdict.word} |  |  |  |"
    low, high = change.ci95
    figures = f"{100 * change.value:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
    p = "< 0.001" if change.p < 0.001 else f"{change.p:.3f}"
    return f"| {text} | **{verdict.word}** | {figures} | {p} | {verdict.pairs} |"


def _done(name: str) -> list[Row]:
    """The newest row of each run that is done."""
    return list(read_results(ROOT / "papers" / name / RESULTS).newest.values())


def _benchmark(benchmark: Benchmark) -> list[str]:
    path = ROOT / "benchmarks" / f"{benchmark.name}.md"
    if not path.is_file():
        return []
    lines = [f"### {benchmark.question}", ""]
    lines += [f"[{path.name}](../benchmarks/{path.name}); `python benchmarks/{benchmark.name}.py`.", ""]
    page = path.read_text(encoding="utf-8").partition(f"\n{benchmark.until}")[0].splitlines()
    return [*lines, *_quoted(page, re.compile(benchmark.headline)), ""]


def _quoted(page: Sequence[str], headline: re.Pattern[str]) -> list[str]:
    """The lines of a page that match, those of a table below its head; other lines as a list."""
    tables: list[str] = []
    others: list[str] = []
    head: Sequence[str] = ()
    for place, line in enumerate(page):
        if line.startswith("| ---"):
            head = ([""] if tables else []) + [page[place - 1], line]
        elif headline.match(line) and line.startswith("|"):
            tables += [*head, line]
            head = ()
        elif headline.match(line):
            others.append(f"- {line.removeprefix('- ')}")
    return [*tables, *([""] if tables and others else []), *others]
