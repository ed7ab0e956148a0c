"""Environments of the peers: each library in its own, with pinned versions, made when first needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from onomast.sentence import Sentence

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / ".venvs"

REQUIREMENTS = {
    "sklearn-crfsuite": ("sklearn-crfsuite==0.5.0", "python-crfsuite==0.9.12"),
    "flair": ("flair==0.15.1", "torch==2.13.0", "transformers==4.57.6", "numpy==2.4.6", "gensim==4.4.0"),
    "pythainlp": ("pythainlp==5.4.0",),
    "spacy": ("spacy==3.8.18", "thinc==8.3.14", "numpy==2.4.6"),
}


def python_of(name: str) -> Path:
    """The interpreter of a peer's environment; makes the environment if it is not there or its pins have changed."""
    folder = FOLDER / name
    python = folder / "bin" / "python"
    stamp = folder / "requirements.txt"
    wanted = "\n".join(REQUIREMENTS[name]) + "\n"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        print(f"making the environment of {name} in {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS[name]], check=True)
        stamp.write_text(wanted, encoding="utf-8")
    return python


def run(python: Path, script: Path, *arguments: str) -> None:
    """Run a script on one thread; raises CalledProcessError, its messages on standard error, when it fails."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, "PYTHONHASHSEED": "0"}
    if python == Path(sys.executable):  # one of our own scripts
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    subprocess.run([str(python), str(script), *arguments], check=True, env=environment, stdout=sys.stderr)


def write_sentences(path: Path, sentences: list[Sentence], tags: list[list[str]] | None = None) -> None:
    """One JSON object a line, with tokens, POS tags where there are any, and `tags` (default: the sentences' own)."""
    with path.open("w", encoding="utf-8") as lines:
        for index, sentence in enumerate(sentences):
            row: dict[str, Any] = {"tokens": sentence.tokens, "tags": tags[index] if tags else sentence.tags}
            if sentence.pos is not None:
                row["pos"] = sentence.pos
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
