"""Files as users name them (a path, `sample:`, `data:`, `-`), read with a report of what was guessed and repaired.

Every command reads its labelled files here, so that all of them report the same things.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

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


def read_reported(
    name: str,
    say: Callable[[str], object],
    *,
    columns: str | None = None,
    orphan: Orphan = "conlleval",
    language: str | None = None,
) -> Reading:
    """As `read_named`; `say` gets a line on how the file was read, and one for each kind of repair."""
    reading = read_named(name, columns=columns, orphan=orphan, language=language)
    say(f"{name}: {len(reading.sentences):,} sentence{'s' * (len(reading.sentences) != 1)}; {reading.guess}")
    for kind, number in repair_counts(reading).items():
        say(f"{name}: {number:,} repair{'s' * (number != 1)} of kind {kind} (`onomast check {name}` lists them)")
    return reading


def repair_counts(reading: Reading) -> dict[str, int]:
    """Number of repairs by kind."""
    return dict(Counter(repair.kind for repair in reading.repairs))


def read_named_text(name: str, *, segmenter: str | Segmenter = "unicode") -> Iterator[Sentence]:
    """The sentences of raw text: a path, a `sample:` or `data:` name, or `-`; plain or gzip. Raises DataError."""
    path = resolve(name)
    return stream_text(read_blocks(path), source=display_name(path), language=language_of(name), segmenter=segmenter)
