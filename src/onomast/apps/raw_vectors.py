"""Word vectors from `--raw`, and what to do where there is too little raw text for them to help."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onomast.corpus import Corpus
from onomast.data.catalogue import resolve

logger = logging.getLogger(__name__)

ENOUGH = 200_000
"""Words of raw text. Measured with 150 labelled sentences: with 57,000 to 109,000 words `small-vectors` lost 1.6 to 8.9
F1 against `crf` (three languages); with 200,000 it gained 4.2 and 6.2, with 500,000 8.4 (Swahili, dev file).
`crf-fasttext` was level with `crf` at 60,000 (-0.4 and +0.5 in two seeds) and gained 3.4 and 3.6 at 200,000."""
SAFER: Mapping[str, str] = {"small-vectors": "crf-fasttext"}
"""Recipes that lose with little raw text, and the one on the same vectors that does not."""


@dataclass(frozen=True)
class RawVectors:
    """A vectors file, and the number of words it was learnt from."""

    path: Path
    words: int


def learn_vectors(raw: Sequence[str], folder: Path, corpus: Corpus, *, seed: int, script: str) -> RawVectors:
    """Learn vectors in `folder` without the sentences of the test and dev files; those of an earlier run are kept."""
    from onomast.vectors.train import train_vectors

    path, count = folder / "vectors.bin", folder / "vectors.words"
    if path.is_file() and count.is_file():
        return RawVectors(path, int(count.read_text(encoding="utf-8")))
    hidden = [sentence.tokens for sentence in (*corpus.test, *corpus.dev)]
    summary = train_vectors([resolve(name) for name in raw], path, exclude=hidden, seed=seed, script=script)
    logger.info("vectors of %s: %s", ", ".join(raw), summary)
    count.write_text(str(summary.tokens), encoding="utf-8")
    return RawVectors(path, summary.tokens)


def recipe_for(recipe: str, words: int, changes: Mapping[str, str]) -> str:
    """The recipe to train with vectors of so many words: a safer one, with a warning, where they are too few.

    A recipe that was changed by hand in its neural part stays, with a warning.
    """
    if words >= ENOUGH:
        return recipe
    logger.warning(
        "the raw text has %s words; below %s word vectors may lower F1: with 57,000 to 109,000 words small-vectors "
        "lost 1.6 to 8.9 F1 against crf, with 200,000 it gained 4.2 to 6.2 (see docs/how-to/raw-text.md); give "
        "more text, or vectors learnt elsewhere with --vectors FILE",
        f"{words:,}", f"{ENOUGH:,}",
    )  # fmt: skip
    safer = SAFER.get(recipe, recipe)
    if safer == recipe or any(key.startswith("neural.") for key in changes):
        return recipe
    logger.warning("training %s instead of %s, which is not harmed by little raw text", safer, recipe)
    return safer
