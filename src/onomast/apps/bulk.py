"""Tag a file of any size: a few hundred sentences at a time, so that memory does not grow with it."""

from __future__ import annotations

import dataclasses
import itertools
import json
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onomast.data.catalogue import language_of, resolve
from onomast.data.formats.column_detection import tags_in_columns
from onomast.data.formats.records import parse_json
from onomast.data.formats.registry import Repair, stream, write, writer_for
from onomast.data.input_file import InputFile, standard_output, write_chunks
from onomast.data.raw_text import display_name, read_blocks, stream_text
from onomast.data.tokenize import Segmenter
from onomast.errors import OnomastError
from onomast.files import is_same_file
from onomast.progress import progress
from onomast.sentence import Sentence
from onomast.tagger import Tagger
from onomast.tags import OUTSIDE, Tag

logger = logging.getLogger(__name__)
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
    format: str | None = None,
    read: str | None = None,
    columns: str | None = None,
    min_confidence: float = 0.0,
    segmenter: str = "unicode",
    text_field: str | None = None,
) -> Counts:
    """Tag `file` (raw text, or a labelled file of the format `read`) and write `out`, in the order of the file.

    `-` is standard input or output. `format`: `jsonl` (see `json_line`) or a writer of
    `onomast.data.formats.registry`; by default the one that the suffix of `out` stands for. `segmenter`: a name, or the
    folder of a learned one. With `text_field`, or where the file's suffix is .jsonl or .ndjson, every line is an object
    whose field of that name (default: `text`) is tagged; as JSONL it is written with all its fields and `entities`.
    Entities below `min_confidence` become `O`. Raises DataError for text that is not UTF-8 and whatever the reader
    raises; BrokenPipeError when standard output is closed by its reader.
    """
    if not 0 <= min_confidence <= 1:
        raise OnomastError(f"--min-confidence {min_confidence}: expected a probability between 0 and 1")
    path = resolve(str(file))
    if is_same_file(path, out):
        raise OnomastError(f"--out {out} is the input; expected another file, as the input would be lost")
    format = format or writer_for(out, "jsonl")
    began = time.perf_counter()
    tally = _Tally()

    def counted(sentences: Iterable[Sentence]) -> Iterator[Sentence]:
        with progress("tagging", _size(path) if read is None else None) as advance:
            for sentence in tag_stream(tagger, sentences, min_confidence):
                tally.count(sentence)
                if tally.sentences % CHUNK == 0:
                    rate = tally.tokens / (time.perf_counter() - began)
                    advance(tally.bytes, f"{tally.sentences:,} sentences, {rate:,.0f} tokens/s")
                yield sentence

    language = language_of(str(file))
    with _quiet_pipe():
        if read is None and (text_field is not None or InputFile(str(path)).suffix in (".jsonl", ".ndjson")):
            records = TextRecords(path, text_field or "text", _segmenter(segmenter), language)
            if format == "jsonl":
                write_chunks(str(out), records.with_entities(counted))
            else:
                write(counted(records.sentences()), out, format=format)
        else:
            if read is None:
                blocks = _warned(read_blocks(path, tally.read), str(file))
                cut = _segmenter(segmenter)
                sentences = stream_text(blocks, source=display_name(path), language=language, segmenter=cut)
            else:
                sentences = stream(path, format=read, columns=columns, language=language, on_repair=tally.repair)
            if format == "jsonl":
                write_chunks(str(out), (json_line(sentence) for sentence in counted(sentences)))
            else:
                write(counted(sentences), out, format=format)
    return Counts(tally.sentences, tally.tokens, tally.entities, tally.repairs, time.perf_counter() - began)


def _warned(blocks: Iterator[str], name: str) -> Iterator[str]:
    """The blocks of a raw text; a warning where the first one looks like a labelled file."""
    first = next(blocks, "")
    scheme = tags_in_columns(first.split("\n")[:200])
    if scheme is not None:
        logger.warning(
            "%s looks like a labelled file (%s), and its labels are tagged as if they were text; "
            "to tag its tokens, type: --read columns",
            name,
            scheme,
        )
    yield first
    yield from blocks


class TextRecords:
    """A JSONL file of objects with a text each: one object out for each object in, with every field it had."""

    def __init__(self, path: Path, text_field: str, segmenter: Segmenter, language: str | None) -> None:
        self._path, self._field, self._segmenter, self._language = path, text_field, segmenter, language
        self._waiting: deque[tuple[dict[str, Any], int]] = deque()  # objects, and how many sentences each has

    def sentences(self) -> Iterator[Sentence]:
        """The sentences of all texts; offsets are those in the text of the object."""
        with InputFile(str(self._path)).opened() as file:
            for number, line in file.lines():
                if line.strip():
                    yield from self._sentences_of(file, number, line)

    def with_entities(self, tag: Callable[[Iterable[Sentence]], Iterator[Sentence]]) -> Iterator[str]:
        """The lines of the file with `entities`: start and end (in the text), label, text, confidence."""
        tagged: list[Sentence] = []
        for sentence in tag(self.sentences()):
            tagged.append(sentence)
            yield from self._finished(tagged)
        yield from self._finished(tagged)

    def _finished(self, tagged: list[Sentence]) -> Iterator[str]:
        while self._waiting and self._waiting[0][1] <= len(tagged):
            record, number = self._waiting.popleft()
            entities = [entity for sentence in tagged[:number] for entity in entities_of(sentence)]
            del tagged[:number]
            yield json.dumps({**record, "entities": entities}, ensure_ascii=False) + "\n"

    def _sentences_of(self, file: InputFile, number: int, line: str) -> Iterator[Sentence]:
        record = parse_json(line, file, number)
        if not isinstance(record, dict):
            raise file.error(f"a line is {line[:60]!r}; expected an object with a text, such as {{...}}", number)
        text = record.get(self._field)
        if not isinstance(text, str):
            texts = [name for name, value in record.items() if isinstance(value, str)]
            raise file.error(
                f"there is no text in the field {self._field!r}; expected a string; fields that hold one: "
                f"{', '.join(texts) or 'none'}; name it with --text-field NAME",
                number,
            )
        name = f"{file.name}:{number}"
        sentences = [
            dataclasses.replace(sentence, source=name)
            for sentence in stream_text([text], language=self._language, segmenter=self._segmenter)
        ]
        self._waiting.append((record, len(sentences)))
        yield from sentences


def json_line(sentence: Sentence) -> str:
    """What `onomast tag` writes of a sentence: text, start, and entities of start, end, label, text, confidence.

    The offsets of entities count characters of `text`: `text[start:end]` is the entity. The sentence's own `start` is
    its place in the file. Of a sentence whose original text is not known, `text` is the tokens joined by spaces.
    """
    if sentence.text is None or sentence.offsets is None:
        ends = list(itertools.accumulate(len(token) + 1 for token in sentence.tokens))
        places = [(end - 1 - len(token), end - 1) for token, end in zip(sentence.tokens, ends, strict=True)]
        sentence = dataclasses.replace(sentence, text=" ".join(sentence.tokens), offsets=tuple(places), text_start=0)
    entities = entities_of(sentence, sentence.text_start)
    line = {"text": sentence.text, "start": sentence.text_start, "entities": entities}
    return json.dumps(line, ensure_ascii=False) + "\n"


def entities_of(sentence: Sentence, origin: int = 0) -> list[dict[str, Any]]:
    """The entities of a sentence whose offsets are known, for JSON: start and end (less `origin`), label, text ..."""
    entities: list[dict[str, Any]] = []
    places = list(sentence.offsets or ())
    for span in sentence.spans:
        confidence = sentence.span_confidence(span)
        start, end = places[span.start][0] - origin, places[span.end - 1][1] - origin
        entities.append(
            {"start": start, "end": end, "label": span.label, "text": sentence.span_text(span)}
            | ({} if confidence is None else {"confidence": round(confidence, 4)})
        )
    return entities


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
