"""Files as users name them: a path, `sample:`, `data:`, `-`; `apps/inputs.py` reports how they were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from onomast.data.catalogue import language_of, resolve
from onomast.data.formats.registry import Reading, read_file
from onomast.data.raw_text import display_name, read_blocks, stream_text
from onomast.data.tokenize import Segmenter
from onomast.sentence import Sentence
from onomast.tags import Orphan


def read_named(
    name: str, *, columns: str | None = None, orphan: Orphan = "conlleval", language: str | None = None
) -> Reading:
    """Read a labelled file: a path, a `sample:` or `data:` name, or `-`. Raises DataError.

    `language` is that of sentences that name none; by default the catalogue's.
    """
    return read_file(resolve(name), columns=columns, orphan=orphan, language=language or language_of(name))


def repair_counts(reading: Reading) -> dict[str, int]:
    """Number of repairs by kind."""
    return dict(Counter(repair.kind for repair in reading.repairs))


def read_named_text(name: str, *, segmenter: str | Segmenter = "unicode") -> Iterator[Sentence]:
    """The sentences of raw text: a path, a `sample:` or `data:` name, or `-`; plain or gzip. Raises DataError."""
    path = resolve(name)
    return stream_text(read_blocks(path), source=display_name(path), language=language_of(name), segmenter=segmenter)
