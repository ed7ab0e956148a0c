"""Files as users name them: a path, `sample:`, `data:`, `-`; `apps/inputs.py` reports how they were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from onomast.data.catalogue import language_of, resolve
from onomast.data.formats.registry import Reading, read_file
from onomast.data.input_file import Repair
from onomast.data.raw_text import display_name, read_blocks, stream_text
from onomast.data.tokenize import Segmenter
from onomast.errors import DataError
from onomast.sentence import Sentence
from onomast.tags import Orphan

_HANDFUL = 5  # tags that fit no scheme and are no more than slips


def read_named(
    name: str,
    *,
    columns: str | None = None,
    orphan: Orphan = "conlleval",
    language: str | None = None,
    until: int | None = None,
) -> Reading:
    """Read a labelled file: a path, a `sample:` or `data:` name, or `-`. Raises DataError.

    `language` is that of sentences that name none; by default the catalogue's. `until` is the last line that is read.
    """
    language = language or language_of(name)
    return read_file(resolve(name), columns=columns, orphan=orphan, language=language, until=until)


def require_understood_tags(reading: Reading) -> None:
    """Raise DataError for more than a handful of tags that fit no scheme: nobody wants to learn labels of slips.

    The message lists them, and says what to type.
    """
    wrong = [repair for repair in reading.repairs if repair.kind == "doubtful-tag"]
    if len(wrong) <= _HANDFUL:
        return
    counted = Counter(repair.before for repair in wrong)
    shown = (f"{tag!r} ({number:,}, from line {_first(tag, wrong)})" for tag, number in counted.most_common(8))
    scheme = reading.guess.partition(";")[2].strip() or "tags"
    more = f" and {len(counted) - 8:,} more" if len(counted) > 8 else ""
    raise DataError(
        f"{len(wrong):,} tags fit no scheme: {', '.join(shown)}{more}; expected {scheme}; "
        f"correct them, or accept them as labels of their own: onomast check {reading.path} --fix OUT",
        path=reading.path,
    )


def _first(tag: str, repairs: Sequence[Repair]) -> int:
    return next(repair.line for repair in repairs if repair.before == tag)


def repair_counts(reading: Reading) -> dict[str, int]:
    """Number of repairs by kind."""
    return dict(Counter(repair.kind for repair in reading.repairs))


def read_named_text(name: str, *, segmenter: str | Segmenter = "unicode") -> Iterator[Sentence]:
    """The sentences of raw text: a path, a `sample:` or `data:` name, or `-`; plain or gzip. Raises DataError."""
    path = resolve(name)
    return stream_text(read_blocks(path), source=display_name(path), language=language_of(name), segmenter=segmenter)
