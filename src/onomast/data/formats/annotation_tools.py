"""Files that annotation tools import: doccano, Label Studio and Prodigy. Their exports are read by `records.py`.

The tools know texts and marked stretches of them; what else is known of a sentence is kept only where they have a
field for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from onomast.data.formats.columns import checked_tokens
from onomast.data.input_file import write_chunks
from onomast.errors import DataError
from onomast.sentence import Sentence
from onomast.tags import Style

Offsets = list[tuple[int, int]]


def write_doccano(sentences: Iterable[Sentence], path: str, _style: Style) -> None:
    """JSONL for doccano's sequence labelling: `{"text": ..., "label": [[start, end, label], ...]}`."""
    write_chunks(path, (_line(_doccano(sentence, path)) for sentence in sentences))


def write_prodigy(sentences: Iterable[Sentence], path: str, _style: Style) -> None:
    """JSONL for Prodigy's `ner.manual` and `db-in`: text, tokens, spans."""
    write_chunks(path, (_line(_prodigy(sentence, path)) for sentence in sentences))


def write_label_studio(sentences: Iterable[Sentence], path: str, _style: Style) -> None:
    """A JSON array of tasks for Label Studio, whose labelling setup calls the text `text` and the labels `label`."""
    write_chunks(path, array_of(_label_studio(sentence, path) for sentence in sentences))


def array_of(records: Iterable[Any]) -> Iterator[str]:
    """A JSON array, one record a line, as it is written."""
    yield "["
    for number, record in enumerate(records):
        yield (",\n" if number else "\n") + json.dumps(record, ensure_ascii=False)
    yield "\n]\n"


def text_and_offsets(sentence: Sentence, path: str) -> tuple[str, Offsets]:
    """The sentence's text and the place of each token in it; the tokens joined by spaces where they are not known.

    Raises DataError for a sentence without tokens.
    """
    tokens = checked_tokens(sentence, path)
    if sentence.text is not None and sentence.offsets is not None:
        return sentence.text, [(a - sentence.text_start, b - sentence.text_start) for a, b in sentence.offsets]
    offsets: Offsets = []
    position = 0
    for token in tokens:
        offsets.append((position, position + len(token)))
        position += len(token) + 1
    return " ".join(tokens), offsets


def _line(record: Any) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _spans(sentence: Sentence, offsets: Offsets, path: str, tool: str) -> list[tuple[int, int, str]] | None:
    """(start, end, label) of the entities in the text; None where the sentence is not annotated."""
    if sentence.tags is None:
        return None
    if None in sentence.tags:
        raise DataError(
            f"{sentence.source}: some tokens are not annotated, which {tool} cannot say; write JSONL", path=path
        )
    return [(offsets[span.start][0], offsets[span.end - 1][1], span.label) for span in sentence.spans]


def _doccano(sentence: Sentence, path: str) -> dict[str, Any]:
    text, offsets = text_and_offsets(sentence, path)
    spans = _spans(sentence, offsets, path, "doccano")
    return {"text": text} | ({} if spans is None else {"label": spans})


def _prodigy(sentence: Sentence, path: str) -> dict[str, Any]:
    text, offsets = text_and_offsets(sentence, path)
    record: dict[str, Any] = {"text": text}
    record["tokens"] = [
        {"text": text[start:end], "start": start, "end": end, "id": number, "ws": text[end : end + 1].isspace()}
        for number, (start, end) in enumerate(offsets)
    ]
    spans = _spans(sentence, offsets, path, "Prodigy")
    if spans is not None:
        record["spans"] = [
            {"start": start, "end": end, "label": label, "token_start": span.start, "token_end": span.end - 1}
            for (start, end, label), span in zip(spans, sentence.spans, strict=True)
        ]
    if sentence.language is not None:
        record["language"] = sentence.language
    return record


def _label_studio(sentence: Sentence, path: str) -> dict[str, Any]:
    text, offsets = text_and_offsets(sentence, path)
    data = {"text": text} | ({} if sentence.language is None else {"language": sentence.language})
    spans = _spans(sentence, offsets, path, "Label Studio")
    if spans is None:
        return {"data": data, "annotations": []}

    def wide(position: int) -> int:
        """Characters before a position that are two units of UTF-16, in which Label Studio counts."""
        return sum(letter > "\uffff" for letter in text[:position]) if max(text) > "\uffff" else 0

    result: list[dict[str, Any]] = [
        {
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {"start": start + wide(start), "end": end + wide(end), "text": text[start:end], "labels": [label]},
        }
        for start, end, label in spans
    ]
    if sentence.label is not None:
        choice = {"from_name": "category", "to_name": "text", "type": "choices", "value": {"choices": [sentence.label]}}
        result.append(choice)
    return {"data": data, "annotations": [{"result": result}]}
