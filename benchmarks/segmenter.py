"""How well is Thai cut into words? Onomast's learned segmenter beside PyThaiNLP's newmm, on text of BEST.

    ONOMAST_DATA=DIR python benchmarks/segmenter.py

The file of encyclopedia articles is cut into 20 blocks of as many lines, each in one piece: blocks 10 and 20 test,
block 5 was there to choose features and penalties by, the others teach. Peers run in an environment of their own.
The figures go to segmenter.json, the page segmenter.md is made from them. Exit status 1 if a claim is not met.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from environments import REQUIREMENTS, python_of, run
from onomast import OnomastError
from onomast.apps.segmenting import figures, score_segmenter
from onomast.data.segment import TextSpan, named_segmenter
from onomast.data.segmented import SegmentedLine, read_segmented
from onomast.evaluation.counting import f1_of
from onomast.evaluation.report import Report
from onomast.evaluation.significance import interval, resample
from onomast.files import write_text
from onomast.taggers.segmenter import train_segmenter

HERE = Path(__file__).resolve().parent
FIGURES, PAGE = HERE / "segmenter.json", HERE / "segmenter.md"
BLOCKS, TEST, DEV = 20, (10, 20), 5
FEW = 2  # the blocks of the smaller training text
OURS, OURS_FEW = "onomast, learnt", f"onomast, learnt from {FEW} blocks"
NEWMM, NEWMM_SAME = "newmm, its own dictionary", "newmm, the words of the training text"
CLUSTERS = "character clusters (`unicode`)"
Lines = Sequence[SegmentedLine]


def blocks_of(path: Path) -> list[Lines]:
    """The lines of the file in `BLOCKS` stretches."""
    lines = read_segmented(path).lines
    borders = [len(lines) * block // BLOCKS for block in range(BLOCKS + 1)]
    return [lines[start:end] for start, end in pairwise(borders)]


def words_of(lines: Lines) -> set[str]:
    return {line.text[start:end] for line in lines for start, end in line.words}


def ours(teaching: Lines, train: Lines, test: Lines) -> tuple[Report, dict[str, float]]:
    """Learn from `teaching`, then cut the test lines, timed on a second pass as the peer is."""
    began = time.process_time()
    segmenter, learning = train_segmenter(teaching)
    trained = time.process_time()
    report = score_segmenter(segmenter, test, train)
    again = time.process_time()
    for line in test:
        segmenter(line.text)
    seconds = {"train": trained - began, "cut": time.process_time() - again}
    return report, {**seconds, "features": learning.features, "hidden": learning.hidden}


def newmm(words: Sequence[str] | None, train: Lines, test: Lines) -> tuple[Report, dict[str, float]]:
    """PyThaiNLP's maximal matching with this dictionary, or its own."""
    with tempfile.TemporaryDirectory() as name:
        texts, out, dictionary = (Path(name) / file for file in ("texts.json", "out.json", "words.json"))
        texts.write_text(json.dumps([line.text for line in test]), encoding="utf-8")
        if words is not None:
            dictionary.write_text(json.dumps(words), encoding="utf-8")
        script = HERE / "peers" / "run_pythainlp.py"
        run(python_of("pythainlp"), script, str(texts), "-" if words is None else str(dictionary), str(out))
        made = json.loads(out.read_text(encoding="utf-8"))
    spans = {line.text: spans_of(line.text, lengths) for line, lengths in zip(test, made["lengths"], strict=True)}
    return score_segmenter(spans.__getitem__, test, train), {"cut": made["seconds"]}


def spans_of(text: str, lengths: Sequence[int]) -> list[TextSpan]:
    """The words as spans, without the white space at their ends."""
    spans = []
    start = 0
    for length in lengths:
        word = text[start : start + length]
        if word.strip():
            left = start + len(word) - len(word.lstrip())
            spans.append((left, left + len(word.strip())))
        start += length
    return spans


def measure(data: Path) -> dict[str, Any]:
    """Run every system; the figures by its name."""
    blocks = blocks_of(data / "thai_best" / "encyclopedia.txt.gz")
    teaching = [number for number in range(1, BLOCKS + 1) if number not in (*TEST, DEV)]
    test, train, few = (
        [line for number in numbers for line in blocks[number - 1]]
        for numbers in (TEST, teaching, teaching[:: len(teaching) // FEW][:FEW])
    )
    systems: dict[str, Callable[[], tuple[Report, dict[str, float]]]] = {
        OURS: lambda: ours(train, train, test),
        OURS_FEW: lambda: ours(few, train, test),
        NEWMM_SAME: lambda: newmm(sorted(words_of(train)), train, test),
        NEWMM: lambda: newmm(None, train, test),
        CLUSTERS: lambda: (score_segmenter(named_segmenter("unicode"), test, train), {}),
    }
    found: dict[str, dict[str, Any]] = {}
    first: Report | None = None
    for name, system in systems.items():
        report, numbers = system()
        first = first or report
        found[name] = {**figures(report), **numbers, "behind": behind(first, report)}
        print(f"{name}: {100 * report.micro.f1:.2f}", file=sys.stderr, flush=True)
    versions = {name: importlib.metadata.version(name) for name in ("onomast", "python-crfsuite")}
    return {
        **{part: sizes(lines) for part, lines in (("train", train), ("few", few), ("test", test))},
        "versions": {**versions, "pythainlp": REQUIREMENTS["pythainlp"][0].partition("==")[2]},
        "systems": found,
    }


def behind(first: Report, other: Report) -> list[float]:
    """By how many F1 points `other` is behind, and the 95 % interval: lines drawn anew, the same for both."""
    draws = [f1_of(resample(report.counts, 2000, 0).sum(axis=1)) for report in (first, other)]
    low, high = interval(draws[0] - draws[1])
    return [100 * (first.micro.f1 - other.micro.f1), 100 * low, 100 * high]


def sizes(lines: Lines) -> dict[str, int]:
    return {"lines": len(lines), "words": sum(len(line.words) for line in lines)}


def page(made: Mapping[str, Any]) -> str:
    """The page, in Markdown."""
    systems = made["systems"]
    train, few, test = (
        f"{made[name]['lines']:,} lines, {made[name]['words']:,} words" for name in ("train", "few", "test")
    )
    first = systems[OURS]
    new_lines = first["without_leaked"]["sentences"]
    lines = [
        "# Cutting Thai into words",
        "",
        "Made by `python benchmarks/segmenter.py`; do not edit. Text: the encyclopedia articles of BEST, cut into",
        f"{BLOCKS} blocks of as many lines, each in one piece.",
        "",
        f"- Test: blocks {' and '.join(map(str, TEST))} ({test}).",
        f"- Training: the others ({train}) but block {DEV}, on which features and penalties were chosen.",
        f"- The smaller training text: {FEW} of those blocks ({few}).",
        "",
        "A word is right when both its borders are. White space is no word. A name is one word in BEST, spaces and",
        "all; no system here joins words over a space, so such names count as missed. F1 in percent, 95 % intervals",
        f"over lines. *New words* ({first['unseen']['support']:,}) and *new lines* ({new_lines:,}): those that the",
        "training text does not have. *Behind*: how far behind the first row, and the interval of the difference.",
        "",
        "| system | precision | recall | F1 | 95 % interval | new words | new lines | behind | words a second |",
        "| --- | ---: | ---: | ---: | :---: | ---: | ---: | :---: | ---: |",
        *(_row(name, one, made["test"]["words"]) for name, one in systems.items()),
        "",
        f"Signature: `{first['signature']}`. Words a second of processor time, one thread, texts met before.",
        f"Learning took {first['train']:.0f} s of it ({systems[OURS_FEW]['train']:.0f} s for the smaller text) and",
        f"left {first['features']:,} features. {first['hidden']:,} of the borders between training words lie inside a",
        "piece, where no segmenter of these pieces can find them.",
        "",
        "Versions: " + ", ".join(f"{name} {version}" for name, version in made["versions"].items()) + ".",
    ]
    return "\n".join([*lines, ""])


def _row(name: str, one: Mapping[str, Any], number: int) -> str:
    words, (gap, least, most) = one["words"], one["behind"]
    low, high = words["ci95"]
    cells = [
        name,
        *(f"{100 * words[figure]:.2f}" for figure in ("precision", "recall")),
        f"**{100 * words['f1']:.2f}**",
        f"{100 * low:.2f} to {100 * high:.2f}",
        f"{100 * one['unseen']['f1']:.2f}",
        f"{100 * one['without_leaked']['f1']:.2f}",
        f"{gap:.2f} ({least:.2f} to {most:.2f})" if gap else "",
        f"{round(number / one['cut'], -2):,.0f}" if "cut" in one else "",
    ]
    return f"| {' | '.join(cells)} |"


def verdicts(made: Mapping[str, Any]) -> list[str]:
    """The learned segmenter is better than every other row by more than chance."""
    found = []
    for name in (NEWMM_SAME, NEWMM, CLUSTERS):
        gap, least, most = made["systems"][name]["behind"]
        met = "met" if least > 0 else "NOT MET"
        found.append(f"{met}: {OURS} is better than {name} by {gap:.2f} F1 ({least:.2f} to {most:.2f})")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="only make the page of the figures there are")
    if not parser.parse_args().table:
        data = os.environ.get("ONOMAST_DATA")
        if not data:
            raise OnomastError("ONOMAST_DATA is not set; it names the folder that holds thai_best/")
        write_text(FIGURES, json.dumps(measure(Path(data)), indent=1, ensure_ascii=False) + "\n")
    made = json.loads(FIGURES.read_text(encoding="utf-8"))
    claims = verdicts(made)
    write_text(PAGE, page(made) + "".join(f"\nClaim {line}\n" for line in claims))
    print("\n".join(claims))
    return 1 if any(line.startswith("NOT MET") for line in claims) else 0


if __name__ == "__main__":
    sys.exit(main())
