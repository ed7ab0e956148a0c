"""Tag a file of any size: a few hundred sentences at a time, so that memory does not grow with it."""

from __future__ import annotations

import codecs
import dataclasses
import gzip
import io
import itertools
import json
import os
import sys
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import regex

from onomast.data.catalogue import language_of, resolve
from onomast.data.formats.registry import Repair, stream, write
from onomast.data.input_file import write_chunks
from onomast.data.tokenize import Segmenter, TextSpan, segment
from onomast.errors import DataError, OnomastError
from onomast.progress import progress
from onomast.sentence import Sentence
from onomast.tagger import Tagger
from onomast.tags import OUTSIDE, Tag

CHUNK = 512  # sentences tagged at once
WINDOW = 1 << 16  # characters of a line that are held at once; a longer line is cut between sentences
_BLOCK = 1 << 16  # bytes read at once
_STANDARD = "-"


@dataclass(frozen=True)
class Counts:
    """What was tagged, and how long it took."""

    sentences: int
    tokens: int
    entities: int
    repairs: int
    """Places of a labelled file that its reader mended."""
    seconds: float


@dataclass
class _Tally:
    """The counts so far."""

    bytes: int = 0
    sentences: int = 0
    tokens: int = 0
    entities: int = 0
    repairs: int = 0

    def count(self, sentence: Sentence) -> None:
        self.sentences += 1
        self.tokens += len(sentence)
        self.entities += len(sentence.spans)

    def repair(self, _: Repair) -> None:
        self.repairs += 1


def tag_file(
    tagger: Tagger,
    file: str | Path,
    out: str | Path,
    *,
    format: str = "jsonl",
    read: str | None = None,
    columns: str | None = None,
    min_confidence: float = 0.0,
    segmenter: str = "unicode",
) -> Counts:
    """Tag `file` (raw text, or a labelled file of the format `read`) and write `out`, in the order of the file.

    `-` is standard input or output. `format`: `jsonl` (see `json_line`) or a writer of
    `onomast.data.formats.registry`, such as `columns` and `html`. `segmenter`: a name, or the folder of a learned one.
    Entities below `min_confidence` become `O`. Raises DataError for text that is not UTF-8 and whatever the reader
    raises; BrokenPipeError when nobody reads
    standard output any more (which is then closed without noise).
    """
    if not 0 <= min_confidence <= 1:
        raise OnomastError(f"--min-confidence {min_confidence}: expected a probability between 0 and 1")
    path = resolve(str(file))
    language = language_of(str(file))
    began = time.perf_counter()
    tally = _Tally()
    if read is None:
        cut = _segmenter(segmenter)
        found = stream_text(read_pieces(path, tally), source=_name(path), language=language, segmenter=cut)
    else:
        found = stream(path, format=read, columns=columns, language=language, on_repair=tally.repair)

    def counted() -> Iterator[Sentence]:
        with progress("tagging", _size(path) if read is None else None) as advance:
            for sentence in tag_stream(tagger, found, min_confidence):
                tally.count(sentence)
                if tally.sentences % CHUNK == 0:
                    rate = tally.tokens / (time.perf_counter() - began)
                    advance(tally.bytes, f"{tally.sentences:,} sentences, {rate:,.0f} tokens/s")
                yield sentence

    with _quiet_pipe():
        if format == "jsonl":
            write_chunks(str(out), (json_line(sentence) for sentence in counted()))
        else:
            write(counted(), out, format=format)
    return Counts(tally.sentences, tally.tokens, tally.entities, tally.repairs, time.perf_counter() - began)


def json_line(sentence: Sentence) -> str:
    """What `onomast tag` writes of a sentence: text, start, and entities of start, end, label, text, confidence.

    All offsets count characters of the whole original text: `original[start:end] == text`. Of a sentence whose
    original text is not known, `text` is the tokens joined by spaces, and offsets are those in it.
    """
    if sentence.text is None or sentence.offsets is None:
        ends = list(itertools.accumulate(len(token) + 1 for token in sentence.tokens))
        places = [(end - 1 - len(token), end - 1) for token, end in zip(sentence.tokens, ends, strict=True)]
        sentence = dataclasses.replace(sentence, text=" ".join(sentence.tokens), offsets=tuple(places), text_start=0)
    places = list(sentence.offsets or ())
    entities = []
    for span in sentence.spans:
        confidence = sentence.span_confidence(span)
        entities.append(
            {"start": places[span.start][0], "end": places[span.end - 1][1], "label": span.label}
            | {"text": sentence.span_text(span)}
            | ({} if confidence is None else {"confidence": round(confidence, 4)})
        )
    line = {"text": sentence.text, "start": sentence.text_start, "entities": entities}
    return json.dumps(line, ensure_ascii=False) + "\n"


def segment_file(file: str, segmenter: str = "unicode") -> None:
    """Print raw text one sentence a line, tokens separated by spaces."""
    path = resolve(file)
    cut = _segmenter(segmenter)
    output = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="\n")
    with _quiet_pipe():
        try:
            for sentence in stream_text(read_pieces(path), source=_name(path), segmenter=cut):
                output.write(" ".join(sentence.tokens) + "\n")
            output.flush()
        finally:
            output.detach()


def _segmenter(name: str) -> Segmenter:
    from onomast.taggers.word_segmenter import find_segmenter

    return find_segmenter(name)


def tag_stream(tagger: Tagger, sentences: Iterable[Sentence], min_confidence: float = 0.0) -> Iterator[Sentence]:
    """Tag sentences as they come, `CHUNK` at a time, in order. Entities below `min_confidence` become `O`.

    (The confidence of such a token stays that of the tag it lost.)
    """
    sentences = iter(sentences)
    while chunk := [sentence.bare() for sentence in itertools.islice(sentences, CHUNK)]:
        for sentence in tagger.tag(chunk):
            yield _confident(sentence, min_confidence) if min_confidence > 0 else sentence


def _confident(sentence: Sentence, least: float) -> Sentence:
    tags: list[Tag] = list(sentence.tags or ())
    for span in sentence.spans:
        confidence = sentence.span_confidence(span)
        if confidence is not None and confidence < least:
            tags[span.start : span.end] = [OUTSIDE] * (span.end - span.start)
    return sentence.tagged(tags, sentence.confidence)


def sentences_of_text(file: str) -> Iterator[Sentence]:
    """The sentences of a raw text: a path, `data:` or `sample:` name, plain or gzip."""
    path = resolve(file)
    return stream_text(read_pieces(path, _Tally()), source=_name(path), language=language_of(file))


def stream_text(
    pieces: Iterable[str],
    *,
    source: str | None = None,
    language: str | None = None,
    segmenter: str | Segmenter = "unicode",
) -> Iterator[Sentence]:
    """Sentences of raw text that comes in pieces (lines, blocks: the result does not depend on where it was cut).

    `offsets` and `text_start` count characters from the beginning of the first piece. At most a line, or `WINDOW`
    characters of it, is held. Raises OnomastError for an unknown segmenter.
    """
    held, start, line = "", 0, 1
    for piece in itertools.chain(pieces, [None]):
        held += piece or ""
        at = 0
        while (step := _step(held, at, segmenter, is_last=piece is None)) is not None:
            cut, after = step
            place = None if source is None else f"{source}:{line}"
            for spans in cut:
                yield _sentence(held, start, spans, place, language)
            line += held.count("\n", at, after)
            at = after
        held, start = held[at:], start + at


def _sentence(held: str, start: int, spans: list[TextSpan], source: str | None, language: str | None) -> Sentence:
    """A sentence of `held`, which begins at character `start` of the whole text."""
    first, last = spans[0][0], spans[-1][1]
    return Sentence(
        tokens=tuple(held[left:right] for left, right in spans),
        offsets=tuple((start + left, start + right) for left, right in spans),
        text=held[first:last],
        text_start=start + first,
        source=source,
        language=language,
    )


def _step(held: str, at: int, segmenter: str | Segmenter, *, is_last: bool) -> tuple[list[list[TextSpan]], int] | None:
    """The sentences of the next line of `held` after `at`, or of a part of it, and where to go on; None: read more."""
    full = at + WINDOW
    end = held.find("\n", at, full) + 1
    is_whole = end > 0 or (is_last and len(held) < full)
    if is_whole:
        end = end or len(held)
    elif len(held) < full:
        return None
    else:
        end = full
    if end == at:
        return None
    found = [[(at + left, at + right) for left, right in spans] for spans in segment(held[at:end], segmenter)]
    if is_whole or not found:
        return found, end
    # More text may change the last sentence, or the last token: it waits for the next window.
    if len(found) > 1:
        return found[:-1], found[-1][0][0]
    if len(found[0]) > 1:
        return [found[0][:-1]], found[0][-1][0]
    left, right = found[0][0]
    borders = [match.start() for match in regex.finditer(r"\X", held[left:right])]
    right = left + borders[-1] if right == end and len(borders) > 1 else right
    return [[(left, right)]], right


def read_pieces(path: Path, tally: _Tally | None = None) -> Iterator[str]:
    """The text of a UTF-8 file (gzip too) or standard input, unchanged, in blocks. Raises DataError naming the byte."""
    tally = tally or _Tally()
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    line = 1
    with _opened(path) as handle:
        while True:
            block = handle.read(_BLOCK)
            waiting = len(decoder.getstate()[0])
            try:
                yield decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                at = tally.bytes - waiting + error.start
                line += error.object.count(b"\n", 0, error.start)
                wide = at == 0 and error.object[:2] in (b"\xff\xfe", b"\xfe\xff")
                found = f"byte {at:,} of the text, 0x{error.object[error.start]:02x}, is not UTF-8"
                hint = "; it looks like UTF-16" if wide else ""
                raise DataError(f"{found}{hint}; convert the file to UTF-8", path=_name(path), line=line) from None
            if not block:
                return
            line += block.count(b"\n")
            tally.bytes += len(block)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        if str(path) == _STANDARD:
            yield cast(BinaryIO, sys.stdin.buffer)
            return
        with path.open("rb") as handle:
            packed = handle.peek(2)[:2] == b"\x1f\x8b"
            yield cast(BinaryIO, gzip.GzipFile(fileobj=handle)) if packed else handle
    except FileNotFoundError:
        raise DataError("there is no such file", path=path) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"the gzip file is damaged ({error}); fetch or pack it again", path=path) from None
    except IsADirectoryError:
        raise DataError("is a folder; expected a file of text", path=path) from None


@contextmanager
def _quiet_pipe() -> Iterator[None]:
    """Let a broken pipe end the work without a second error when Python flushes standard output on its way out."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _name(path: Path) -> str:
    return "standard input" if str(path) == _STANDARD else str(path)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.suffix != ".gz" and path.is_file() else None
