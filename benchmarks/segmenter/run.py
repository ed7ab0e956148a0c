"""How well is Thai cut into words? Onomast's learned segmenter beside PyThaiNLP's newmm, on text of BEST.

    ONOMAST_DATA=DIR python -m benchmarks.segmenter.run

The file of encyclopedia articles is cut into 20 blocks of as many lines, each in one piece: blocks 10 and 20 test,
block 5 was there to choose features and penalties by, the others teach. Peers run in an environment of their own.
The figures of a system are written to rows.json as soon as they are known, and a second run continues where the first
was stopped; README.md is made from them. Exit status 1 if a claim is not met.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.pages import write_page
from benchmarks.peers.environments import REQUIREMENTS, python_of, run
from onomast import OnomastError
from onomast.apps.segmenting import figures, score_segmenter
from onomast.data.segmented_text import SegmentedLine, read_segmented
from onomast.data.tokenize import TextSpan, named_segmenter
from onomast.evaluation.metrics import f1_of
from onomast.evaluation.report import Report
from onomast.evaluation.significance import interval, resample
from onomast.experiments.results import pack_counts, unpack_counts
from onomast.files import write_text
from onomast.taggers.word_segmenter import train_segmenter

HERE = Path(__file__).resolve().parent
FIGURES, PAGE = HERE / "rows.json", HERE / "README.md"
COMMAND = "python -m benchmarks.segmenter.run"
BLOCKS, TEST, DEV = 20, (10, 20), 5
FEW = 2  # the blocks of the smaller training text
OURS, OURS_FEW = "onomast, learnt", f"onomast, learnt from {FEW} blocks"
NEWMM, NEWMM_SAME = "newmm, its own dictionary", "newmm, the words of the training text"
NEWMM_FEW = f"newmm, the words of {FEW} blocks"
CLUSTERS = "character clusters (`unicode`)"
SYSTEMS = (OURS, NEWMM_SAME, OURS_FEW, NEWMM_FEW, NEWMM, CLUSTERS)
CLAIMS = ((OURS, NEWMM_SAME), (OURS, NEWMM), (OURS_FEW, NEWMM_FEW), (OURS_FEW, NEWMM), (OURS_FEW, CLUSTERS))
PYTHAINLP = REQUIREMENTS["pythainlp"][0].partition("==")[2]
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
    learnt, learning = train_segmenter(teaching)
    trained = time.process_time()
    report = score_segmenter(learnt, test, train)
    again = time.process_time()
    for line in test:
        learnt(line.text)
    seconds = {"train": trained - began, "cut": time.process_time() - again}
    return report, {**seconds, "features": learning.features, "hidden": learning.hidden}


def newmm(words: Sequence[str] | None, train: Lines, test: Lines) -> tuple[Report, dict[str, float]]:
    """PyThaiNLP's maximal matching with this dictionary, or its own."""
    with tempfile.TemporaryDirectory() as name:
        texts, out, dictionary = (Path(name) / file for file in ("texts.json", "out.json", "words.json"))
        texts.write_text(json.dumps([line.text for line in test]), encoding="utf-8")
        if words is not None:
            dictionary.write_text(json.dumps(words), encoding="utf-8")
        script = HERE.parent / "peers" / "run_pythainlp.py"
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


def measure(data: Path, systems: Sequence[str]) -> None:
    """Run each system that has no figures yet, and write them down as they come."""
    blocks = blocks_of(data / "thai_best" / "encyclopedia.txt.gz")
    teaching = [number for number in range(1, BLOCKS + 1) if number not in (*TEST, DEV)]
    test, train, few = (
        [line for number in numbers for line in blocks[number - 1]]
        for numbers in (TEST, teaching, teaching[:: len(teaching) // FEW][:FEW])
    )
    runs: dict[str, Callable[[], tuple[Report, dict[str, float]]]] = {
        OURS: lambda: ours(train, train, test),
        OURS_FEW: lambda: ours(few, train, test),
        NEWMM_SAME: lambda: newmm(sorted(words_of(train)), train, test),
        NEWMM_FEW: lambda: newmm(sorted(words_of(few)), train, test),
        NEWMM: lambda: newmm(None, train, test),
        CLUSTERS: lambda: (score_segmenter(named_segmenter("unicode"), test, train), {}),
    }
    made = known()
    made["sizes"] = {part: sizes(lines) for part, lines in (("train", train), ("few", few), ("test", test))}
    for name in systems:
        if name in made["systems"]:
            continue
        report, numbers = runs[name]()
        counts = pack_counts(report.counts.sum(axis=1))
        found = {**figures(report), **numbers, "counts": counts, "fingerprint": fingerprint(name)}
        made["systems"][name] = found
        write_text(FIGURES, json.dumps(made, indent=1, ensure_ascii=False) + "\n")
        print(f"{name}: {100 * report.micro.f1:.2f}", file=sys.stderr, flush=True)


def known() -> dict[str, Any]:
    """The figures there are, less those of a peer whose script or version has changed.

    Delete the entry of one of our own systems when the code that segments changes.
    """
    stored = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.is_file() else {"systems": {}}
    kept = {name: one for name, one in stored["systems"].items() if one["fingerprint"] == fingerprint(name)}
    return {**stored, "systems": {name: kept[name] for name in SYSTEMS if name in kept}}


def fingerprint(name: str) -> str:
    """Digest of a peer's script and version; empty for our own systems."""
    if name in (OURS, OURS_FEW, CLUSTERS):
        return ""
    script = (HERE.parent / "peers" / "run_pythainlp.py").read_text(encoding="utf-8")
    return hashlib.sha256("\0".join([script, *REQUIREMENTS["pythainlp"]]).encode()).hexdigest()[:16]


def difference(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[float, float, float]:
    """By how many F1 points the first is better, and the 95 % interval: lines drawn anew, the same for both."""
    draws = []
    for one in (first, second):
        draws.append(f1_of(resample(unpack_counts(one["counts"]), 2000, 0)))
    low, high = interval(draws[0] - draws[1])
    return 100 * (first["words"]["f1"] - second["words"]["f1"]), 100 * low, 100 * high


def sizes(lines: Lines) -> dict[str, int]:
    return {"lines": len(lines), "words": sum(len(line.words) for line in lines)}


def page(made: Mapping[str, Any]) -> str:
    """The page, in Markdown."""
    systems = made["systems"]
    train, few, test = (
        f"{made['sizes'][name]['lines']:,} lines, {made['sizes'][name]['words']:,} words"
        for name in ("train", "few", "test")
    )
    first = next(iter(systems.values()))
    lines = [
        "## Results",
        "",
        f"Text: the encyclopedia articles of BEST, cut into {BLOCKS} contiguous blocks of as many lines.",
        "",
        f"- Test: blocks {' and '.join(map(str, TEST))} ({test}).",
        f"- Training: the others ({train}) but block {DEV}, on which features and penalties were chosen.",
        f"- The smaller training text: {FEW} of those blocks ({few}).",
        "",
        "A word is right when both its borders are. White space is no word. A name is one word in BEST, spaces and",
        "all; no system here joins words over a space, so such names count as missed. F1 in percent, 95 % intervals",
        f"over lines. *New words* ({first['unseen']['support']:,}) and *new lines*",
        f"({first['without_leaked']['sentences']:,}): those that the larger training text does not have.",
        "",
        "| system | precision | recall | F1 | 95 % interval | new words | new lines | words a second |",
        "| --- | ---: | ---: | ---: | :---: | ---: | ---: | ---: |",
        *(_row(name, one, made["sizes"]["test"]["words"]) for name, one in systems.items()),
        "",
        *(f"- {name}: not run yet" for name in SYSTEMS if name not in systems),
        *(_learning(name, systems[name]) for name in (OURS, OURS_FEW) if name in systems),
        "- Words a second of processor time: one thread, a second pass over the same lines.",
        f"- Signature: `{first['signature']}`. PyThaiNLP {PYTHAINLP}.",
    ]
    return "\n".join([*lines, ""])


def _learning(name: str, one: Mapping[str, Any]) -> str:
    return (
        f"- {name}: {one['train']:.0f} s of processor time to learn {one['features']:,} features; {one['hidden']:,} "
        "borders of training words lie inside a piece, where no segmenter of these pieces can find them."
    )


def _row(name: str, one: Mapping[str, Any], number: int) -> str:
    words = one["words"]
    low, high = words["ci95"]
    cells = [
        name,
        *(f"{100 * words[figure]:.2f}" for figure in ("precision", "recall")),
        f"**{100 * words['f1']:.2f}**",
        f"{100 * low:.2f} to {100 * high:.2f}",
        f"{100 * one['unseen']['f1']:.2f}",
        f"{100 * one['without_leaked']['f1']:.2f}",
        f"{round(number / one['cut'], -2):,.0f}" if "cut" in one else "",
    ]
    return f"| {' | '.join(cells)} |"


def verdicts(systems: Mapping[str, Any]) -> list[str]:
    """Whether each claim holds by more than chance; nothing of what has not been run."""
    found = []
    for better, worse in CLAIMS:
        if better in systems and worse in systems:
            gap, low, high = difference(systems[better], systems[worse])
            met = "met" if low > 0 else "NOT MET"
            found.append(f"{met}: {better} against {worse}: {gap:+.2f} F1 [{low:+.2f}, {high:+.2f}]")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), metavar="SYSTEM")
    parser.add_argument("--table", action="store_true", help="only make the page of the figures there are")
    arguments = parser.parse_args()
    if not arguments.table:
        data = os.environ.get("ONOMAST_DATA")
        if not data:
            raise OnomastError("ONOMAST_DATA is not set; it names the folder that holds thai_best/")
        measure(Path(data), arguments.systems)
    made = known()
    claims = verdicts(made["systems"])
    write_page(PAGE, page(made) + "".join(f"- Claim {line}\n" for line in claims), COMMAND)
    print("\n".join(claims))
    return 1 if any(line.startswith("NOT MET") for line in claims) else 0


if __name__ == "__main__":
    sys.exit(main())
