"""The table and the claims of the encoder benchmark, from its rows."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onomast.evaluation.metrics import f1_of
from onomast.evaluation.significance import bootstrap
from onomast.experiments.analysis.statistics import difference, estimate
from onomast.experiments.results import unpack_counts

Row = Mapping[str, Any]
ONE_SEED = "¹"
"""Marks the figures of a single seed."""
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
            runs = of(rows, system, claim.corpus)
            if runs:
                lines.append(_line(runs, peer))
    lines += ["", *_differences(rows, pairs), "", *_padding(rows), ""]
    lines += [f"- {line}" for line in verdicts(rows, claims)]
    sizes = {row["corpus"]: row["sentences"] for row in rows}
    said = "; ".join(f"{name}: {size['train']:,} training and {size['test']:,} test" for name, size in sizes.items())
    versions = sorted({f"{name} {version}" for row in rows for name, version in row["versions"].items()})
    head = [
        "## Results",
        "",
        f"Sentences: {said}.",
        "F1 in percent (exact match of entities, micro-averaged): mean over seeds [95 % interval over seeds and test",
        "sentences; ¹ one seed: over test sentences only]. Training sentences per second of processor time (in",
        f"brackets: of wall time), median of seeds; each run is a process of one thread. {', '.join(versions)}.",
        "",
    ]
    return "\n".join([*head, *lines, ""])


def _line(rows: Sequence[Row], peer: Sequence[Row]) -> str:
    """One line of the table, from the rows of a system on a corpus and those of the peer."""
    errors = [bootstrap(unpack_counts(row["counts"]), f1_of).error for row in rows]
    score = estimate([row["f1"] for row in rows], errors)
    low, high = score.ci95 or (score.value, score.value)
    mark = ONE_SEED if len(rows) == 1 else ""
    cells = (
        rows[0]["method"],
        rows[0]["corpus"],
        f"{len(rows)}{mark}",
        f"{100 * score.value:.1f} [{100 * low:.1f}, {100 * high:.1f}]{mark}",
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
            counts = [
                {row["seed"]: unpack_counts(row["counts"]) for row in of(rows, system, corpus)}
                for system in (worse, better)
            ]
            change = difference(*counts)
            if change is not None:
                low, high = (100 * end for end in change.ci95)
                seeds = ", ".join(map(str, sorted(set(counts[0]) & set(counts[1]))))
                lines.append(
                    f"- {corpus}, {better} less {worse}: {100 * change.value:+.1f} F1 [{low:+.1f}, {high:+.1f}], "
                    + (f"seed {seeds}: over test sentences only" if change.seeds == 1 else f"seeds {seeds}")
                )
    return lines


def _padding(rows: Sequence[Row]) -> list[str]:
    padding = {row["corpus"]: row["padding"] for row in rows if "padding" in row}
    return [
        f"- {corpus}, sub-words computed for each real one: {shares['sub-words']:.2f} in our batches, sorted by length "
        f"in sub-words; {shares['words']:.2f} if sorted by length in words, {shares['none']:.2f} in random order"
        for corpus, shares in padding.items()
    ]
