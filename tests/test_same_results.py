"""Six recipes still give the tags and weights they gave at commit 2687bee: a change of structure changes no result.

`python tests/test_same_results.py` writes `oracles/same_results.json` anew, for a change that is meant to change them.
Weights are compared byte for byte on the kind of processor that the file was written on; elsewhere, and with another
torch or CRFsuite, sums may be rounded differently, and then nearly all tags must agree.
"""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import onomast
from tiny_encoders import tiny_encoder

ORACLE = Path(__file__).parent / "oracles" / "same_results.json"
SAMPLES = files("onomast") / "samples"
LEAST_AGREEMENT = 0.98  # share of tags, on another processor


@dataclass(frozen=True)
class Case:
    """One training: a recipe on a sample, with changes that make it short."""

    recipe: str
    sample: str
    weights: str = "weights.safetensors"
    source: str = ""
    changes: dict[str, str] = field(default_factory=dict)


SHORT = {"neural.training.steps": "60", "neural.training.epochs": "2"}
CASES = [
    Case("crf", "swahili-news", "model.crfsuite"),
    Case("small", "swahili-news", changes=SHORT),
    Case("transfer", "swahili-news", source="english-news", changes=SHORT),
    Case("bilstm-crf-pos", "english-news", changes=SHORT),
    Case("joint-sentence-attention", "indonesian-titles", changes=SHORT),
    Case("transformer-crf", "english-news", changes={**SHORT, "neural.training.batch_size": "16"}),
]


def sentences(sample: str, split: str) -> list[onomast.Sentence]:
    return list(onomast.read(str(SAMPLES / sample / f"{split}.conll")))


def result(case: Case, folder: Path) -> dict[str, Any]:
    """Train and tag; the tags of the test file, one string a sentence, and a digest of the weights."""
    changes = dict(case.changes)
    if case.recipe == "transformer-crf":
        changes["neural.pretrained.model"] = str(tiny_encoder("xlm-roberta", folder / "encoder"))
    recipe = onomast.read_recipe(case.recipe, changes)
    corpus = onomast.Corpus(case.sample, tuple(sentences(case.sample, "train")))
    if case.source:
        source = onomast.Corpus(case.source, tuple(sentences(case.source, "train")))
        corpus = onomast.Corpus(case.sample, corpus.train, sources=(source,))
    tagger = onomast.new_tagger(recipe)
    tagger.fit(corpus)
    tagger.save(folder / "model")
    tagged = tagger.tag([sentence.bare() for sentence in sentences(case.sample, "test")])
    tags = [" ".join(str(tag) for tag in sentence.tags or ()) for sentence in tagged]
    return {"tags": tags, "weights": digest(folder / "model" / case.weights)}


def digest(path: Path) -> str:
    """Of the weights: for safetensors names, shapes and values without the header's layout."""
    found = hashlib.sha256()
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        for name, tensor in sorted(load_file(path).items()):
            found.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
            found.update(tensor.tobytes())
    else:
        found.update(path.read_bytes())
    return found.hexdigest()


def machine() -> dict[str, str]:
    """What decides how sums are rounded."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = [line for line in info.read_text().splitlines() if line.startswith(("model", "cpu family", "flags"))]
        processor = hashlib.sha256("\n".join(sorted(set(lines))).encode()).hexdigest()[:16]
    return {"processor": processor, **{name: _version(name) for name in ("torch", "numpy", "python-crfsuite")}}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def agreement(ours: list[str], theirs: list[str]) -> float:
    """Share of tags that are equal."""
    pairs = zip(" ".join(ours).split(), " ".join(theirs).split(), strict=True)
    equal = [left == right for left, right in pairs]
    return sum(equal) / len(equal)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.recipe)
def test_results_are_those_of_before(case: Case, tmp_path: Path) -> None:
    if case.recipe != "crf":
        pytest.importorskip("torch")
    if case.recipe == "transformer-crf":
        pytest.importorskip("transformers")
    oracle = json.loads(ORACLE.read_text(encoding="utf-8"))
    expected = oracle["results"][case.recipe]
    found = result(case, tmp_path)
    if oracle["machine"] == machine():
        assert found["tags"] == expected["tags"]
        assert found["weights"] == expected["weights"]
    assert agreement(found["tags"], expected["tags"]) >= LEAST_AGREEMENT


def main() -> None:
    results = {}
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            results[case.recipe] = result(case, Path(folder))
    ORACLE.write_text(json.dumps({"machine": machine(), "results": results}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
