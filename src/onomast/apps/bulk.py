"""Tag a file of any size: a few hundred sentences at a time, so that memory does not grow with it."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from onomast.data.catalogue import language_of, resolve
from onomast.data.formats.registry import Repair, stream, write
from onomast.data.input_file import standard_output, write_chunks
from onomast.data.raw_text import display_name, read_blocks, stream_text
from onomast.data.tokenize import Segmenter
from onomast.errors import OnomastError
from onomast.files import is_same_file
from onomast.progress import progress
from onomast.sentence import Sentence
from onomast.tagger import Tagger
from onomast.tags import OUTSIDE, Tag

CHUNK = 512  # sentences tagged at once


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

    def read(self, number: int) -> None:
        self.bytes = number

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
    if is_same_file(path, out):
        raise OnomastError(f"--out {out} is the input; expected another file, as the input would be lost")
    language = language_of(str(file))
    began = time.perf_counter()
    tally = _Tally()
    if read is None:
        blocks = read_blocks(path, tally.read)
        sentences = stream_text(blocks, source=display_name(path), language=language, segmenter=_segmenter(segmenter))
    else:
        sentences = stream(path, format=read, columns=columns, language=language, on_repair=tally.repair)

    def counted() -> Iterator[Sentence]:
        with progress("tagging", _size(path) if read is None else None) as advance:
            for sentence in tag_stream(tagger, sentences, min_confidence):
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
    with _quiet_pipe(), standard_output() as output:
        for sentence in stream_text(read_blocks(path), source=display_name(path), segmenter=cut):
            output.write(" ".join(sentence.tokens) + "\n")


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


@contextmanager
def _quiet_pipe() -> Iterator[None]:
    """Let a broken pipe end the work without a second error when Python flushes standard output on its way out."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.suffix != ".gz" and path.is_file() else None
