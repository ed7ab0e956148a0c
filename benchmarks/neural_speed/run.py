"""Tokens per second of the neural tagger, of Flair (the same network) and of spaCy's `ner` (its small CNN).

    ONOMAST_DATA=DIR python -m benchmarks.neural_speed.run [--repeats N]

Each system trains and tags in fresh processes of one thread and in its own environment, in turn, N times. Prints and
writes (rows.json, README.md) medians, ratios and how far we are from the arithmetic of the matrix
products. Speeds are per second of processor time: on an idle machine that is wall time, on a busy one it leaves the
neighbours out. Exit status 1 if a claim of CLAIMS is not met.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.pages import write_page
from benchmarks.peers.environments import python_of, run, write_sentences
from onomast import Corpus, OnomastError, Sentence, evaluate, load_tagger, new_tagger, read, read_recipe

HERE = Path(__file__).resolve().parent
PAGE, RESULTS = HERE / "README.md", HERE / "rows.json"
COMMAND = "python -m benchmarks.neural_speed.run"
CLAIMS = (  # what, ours, the peer, times the peer's speed at least
    ("train", "bf16", "flair", 6.0),
    ("train", "onomast", "flair", 4.0),
    ("tag", "onomast", "flair", 4.0),
    ("tag", "onomast", "spacy", 2.5),
)
NAMES = {"onomast": "Onomast", "bf16": "Onomast in bf16", "flair": "Flair", "spacy": "spaCy"}
PRECISION = {"onomast": "single", "bf16": "bf16"}
EPOCHS = 2
WARM_UP = 50  # training sentences tagged before the clock starts, by every system
FLAIR_BATCH = 64  # sentences tagged at once: the fastest of 8, 16, 32 (its default), 64, 128 and 256
WORD, CHARACTER, HIDDEN = 100, 25, 256
NETWORK = {
    "neural.words.width": str(WORD),
    "neural.characters.kind": "lstm",
    "neural.characters.embedding": str(CHARACTER),
    "neural.characters.width": str(CHARACTER),
    "neural.encoder.order": '["word", "char"]',
    "neural.encoder.width": str(HIDDEN),
    "neural.encoder.dropout": "0.5",
    "neural.encoder.dropout_kind": "locked",
    "neural.training.optimizer": "sgd",
    "neural.training.learning_rate": "0.1",
    "neural.training.schedule": "constant",
    "neural.training.batch_size": "16",
    "neural.training.epochs": str(EPOCHS),
    "neural.training.stop_after": "0",
    "neural.training.dev": "none",
    "neural.training.select": "last",
}


@contextmanager
def clocked(name: str, seconds: dict[str, float], processor: dict[str, float]) -> Iterator[None]:
    """Note wall and processor seconds of the block under `name`."""
    began = time.perf_counter(), time.process_time()
    yield
    seconds[name] = time.perf_counter() - began[0]
    processor[name] = time.process_time() - began[1]


def ours(precision: str, train_path: str, test_path: str, out_path: str) -> None:
    """What the peers' scripts do, with Onomast; and the rate of matrix products in this process."""
    import torch._dynamo  # noqa: F401 - torch imports it with the first optimiser; Flair's epochs are timed without it

    from onomast.taggers.neural import stages

    def rows(path: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]

    train = tuple(Sentence(tuple(row["tokens"]), tuple(row["tags"])) for row in rows(train_path))
    test = [Sentence(tuple(row["tokens"])) for row in rows(test_path)]
    seconds: dict[str, float] = {}
    processor: dict[str, float] = {}
    loop = stages.train

    def timed_loop(*arguments: Any, **settings: Any) -> Any:
        with clocked("train", seconds, processor):
            return loop(*arguments, **settings)

    stages.train = timed_loop
    rates = [product_rate()]
    tagger = new_tagger(read_recipe("bilstm-crf", {**NETWORK, "neural.training.precision": precision}))
    tagger.fit(Corpus("train", train))
    with tempfile.TemporaryDirectory() as folder:
        tagger.save(Path(folder))
        tagger = load_tagger(folder)  # which has met no word yet
    tagger.tag([sentence.bare() for sentence in train[:WARM_UP]])
    with clocked("tag", seconds, processor):
        tagged = tagger.tag(test)
    rates.append(product_rate())
    made = {
        "tags": [sentence.tags for sentence in tagged],
        "seconds": seconds,
        "processor": processor,
        "operations_per_second": max(rates),
        "versions": {name: importlib.metadata.version(name) for name in ("onomast", "torch")},
        "tag_set": len(tagger.scheme.tags),
    }
    Path(out_path).write_text(json.dumps(made), encoding="utf-8")


def product_rate() -> float:
    """Multiplications and additions per second of processor time in a large matrix product: the best of 20."""
    import torch

    torch.set_num_threads(1)
    size = 1024
    left, right = torch.randn(size, size), torch.randn(size, size)
    best = float("inf")
    for _ in range(20):
        began = time.process_time()
        torch.mm(left, right)
        best = min(best, time.process_time() - began)
    return 2 * size**3 / best


def operations(tags: int) -> float:
    """Multiplications and additions per token in the matrix products of one forward pass.

    Both directions of the LSTM, four gates each, and the projection to tags. Characters are left out: they are read
    once per distinct word.
    """
    inputs = WORD + 2 * CHARACTER
    return 2.0 * (2 * 4 * HIDDEN * (inputs + HIDDEN) + 2 * HIDDEN * tags)


def measure(train: Sequence[Sentence], test: Sequence[Sentence], repeats: int) -> list[dict[str, Any]]:
    """Run all systems in turn; what each wrote, by system, for each repeat."""
    peers = {name: python_of(name) for name in ("flair", "spacy")}
    flair = ("--mode", "speed", "--epochs", str(EPOCHS), "--batch", str(FLAIR_BATCH))
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [str(folder / file) for file in ("train.jsonl", "test.jsonl")]
        write_sentences(Path(files[0]), list(train))
        write_sentences(Path(files[1]), list(test))
        out = {system: folder / f"{system}.json" for system in NAMES}
        for repeat in range(repeats):
            for system, precision in PRECISION.items():
                run(Path(sys.executable), Path(__file__), "--ours", precision, *files, str(out[system]))
            run(peers["flair"], HERE.parent / "peers" / "run_flair.py", *flair, *files, str(out["flair"]))
            run(peers["spacy"], HERE.parent / "peers" / "run_spacy.py", "--mode", "speed", *files, str(out["spacy"]))
            found.append({system: json.loads(path.read_text(encoding="utf-8")) for system, path in out.items()})
            print(f"repeat {repeat + 1} of {repeats} done", file=sys.stderr)
    return found


def speeds(found: Sequence[Mapping[str, Any]], tokens: Mapping[str, int], clock: str) -> dict[str, dict[str, Any]]:
    """Step -> system -> tokens per second in each repeat; `clock` is `seconds` or `processor`."""
    made: dict[str, dict[str, Any]] = {"train": {}, "tag": {}}
    for row in found:
        for system, result in row.items():
            times = result[clock]
            spent = {} if system == "bf16" else {"tag": times["tag"]}  # tagging is in single precision
            if system in PRECISION:
                spent["train"] = times["train"]
            elif system == "flair":  # spaCy trains another network in another way
                spent["train"] = sum(times["epochs"])
            for step, seconds in spent.items():
                read_tokens = tokens[step] * (EPOCHS if step == "train" else 1)
                made[step].setdefault(system, []).append(read_tokens / seconds)
    return made


def verdicts(by_processor: Mapping[str, Mapping[str, list[float]]]) -> list[tuple[str, bool]]:
    """A line for each claim, and whether it holds: the ratio of medians."""
    lines = []
    for step, system, peer, claim in CLAIMS:
        ratio = statistics.median(by_processor[step][system]) / statistics.median(by_processor[step][peer])
        met = ratio >= claim
        verb = "trains" if step == "train" else "tags"
        lines.append(
            (
                f"{'met' if met else 'NOT MET'}: {NAMES[system]} {verb} at {ratio:.2f} times {NAMES[peer]} "
                f"(claimed {claim:.1f})",
                met,
            )
        )
    return lines


def render(results: Mapping[str, Any]) -> str:
    """The page, from what rows.json holds."""
    tokens, machine = results["tokens"], results["machine"]
    lines = [
        "## Results",
        "",
        "MasakhaNER 2.0, Swahili: training on the first",
        f"{results['sentences']['train']:,} sentences ({tokens['train']:,} tokens), {EPOCHS} epochs with no dev "
        f"sentences; tagging the test file ({results['sentences']['test']:,} sentences, {tokens['tag']:,} tokens).",
        "",
        f"{results['date']}; {machine['processor']}, {machine['cores']} cores, one thread for each system, load "
        f"{machine['load_before']:.1f} before and {machine['load_after']:.1f} after. Fresh processes in turn,",
        f"{results['repeats']} times. Tokens per second of processor time, median (slowest to fastest); in brackets",
        "per second of wall time, which on a busy machine measures the neighbours too.",
        "",
        "| | " + " | ".join(_titles(results)) + " |",
        "| --- |" + " --- |" * len(NAMES),
    ]
    for step, title in (("train", "training"), ("tag", "tagging")):
        cells = []
        for system in NAMES:
            values = results["speeds"]["processor"][step].get(system)
            if values is None:
                cells.append("")
                continue
            wall = statistics.median(results["speeds"]["seconds"][step][system])
            middle = statistics.median(values)
            cells.append(f"{middle:,.0f} ({min(values):,.0f} to {max(values):,.0f}) [{wall:,.0f}]")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    lines += [
        "",
        "Micro F1 on the test file after these epochs of plain SGD: "
        + ", ".join(f"{NAMES[system]} {f1:.1%}" for system, f1 in results["f1"].items())
        + ". Flair has no bf16 on a processor.",
        "",
    ]
    lines += [*(f"- {line}" for line in results["verdicts"]), "", *_floor(results)]
    return "\n".join([*lines, ""])


def _titles(results: Mapping[str, Any]) -> list[str]:
    return [
        ", ".join(f"{package} {version}" for package, version in results["versions"][system].items())
        + (" in bf16" if system == "bf16" else "")
        for system in NAMES
    ]


def _floor(results: Mapping[str, Any]) -> list[str]:
    """The part of the page on the arithmetic."""
    rate = results["operations_per_second"]
    forward = operations(results["tag_set"])
    lines = [
        "## Distance from the arithmetic",
        "",
        f"In the same processes a product of two matrices of 1,024 x 1,024 ran at {rate / 1e9:.0f} thousand million",
        "multiplications and additions a second (best of 40 in each run, median of runs). A token needs",
        f"{forward / 1e6:.2f} million of them in the LSTM and the projection to tags, and three times as many in",
        "training; the characters, read once per distinct word, are not counted. That bounds this network at",
        "",
    ]
    for step, title, cost in (("train", "training", 3 * forward), ("tag", "tagging", forward)):
        floor = rate / cost
        speed = statistics.median(results["speeds"]["processor"][step]["onomast"])
        lines.append(f"- {title}: {floor:,.0f} tokens per second; we reach {speed / floor:.0%} of it.")
    return lines


def f1_of(gold: Sequence[Sentence], tags: Sequence[Sequence[str]]) -> float:
    """Micro F1 of a run's tags."""
    predicted = [sentence.bare().tagged(tuple(each)) for sentence, each in zip(gold, tags, strict=True)]
    return evaluate(gold, predicted).micro.f1


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip()
        for line in (info.read_text(encoding="utf-8").splitlines() if info.is_file() else ())
        if line.startswith("model name")
    ]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> int:
    if sys.argv[1:2] == ["--ours"]:
        ours(*sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    data = os.environ.get("ONOMAST_DATA")
    if not data:
        raise OnomastError("ONOMAST_DATA is not set; it names the folder that holds masakhaner2/")
    folder = Path(data) / "masakhaner2" / "swa"
    train = read(str(folder / "train.txt"))[:2000]
    gold = read(str(folder / "test.txt"))
    test = [sentence.bare() for sentence in gold]
    tokens = {"train": sum(map(len, train)), "tag": sum(map(len, test))}
    load_before = os.getloadavg()[0]
    found = measure(train, test, repeats)
    by_clock = {clock: speeds(found, tokens, clock) for clock in ("processor", "seconds")}
    judged = verdicts(by_clock["processor"])
    results = {
        "date": datetime.date.today().isoformat(),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "load_before": load_before,
            "load_after": os.getloadavg()[0],
        },
        "repeats": repeats,
        "sentences": {"train": len(train), "test": len(test)},
        "tokens": tokens,
        "versions": {system: found[0][system]["versions"] for system in NAMES},
        "speeds": by_clock,
        "operations_per_second": statistics.median(row["onomast"]["operations_per_second"] for row in found),
        "tag_set": found[0]["onomast"]["tag_set"],
        "f1": {system: f1_of(gold, found[0][system]["tags"]) for system in PRECISION},
        "verdicts": [line for line, _ in judged],
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    page = render(results)
    write_page(PAGE, page, COMMAND)
    print(page)
    return 0 if all(met for _, met in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
