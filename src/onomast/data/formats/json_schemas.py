"""One JSON record -> its parts, told by its keys and never by the name of the tool that wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onomast.data.formats.columns import aligned
from onomast.data.formats.marked_text import Mark
from onomast.data.input_file import ReadLog
from onomast.sentence import Sentence

_TEXT_KEYS = ("text", "sentence", "content", "utterance", "data")
_TOKEN_KEYS = ("tokens", "words")
_TAG_KEYS = ("tags", "ner_tags", "ner", "labels", "label")
_SPAN_KEYS = ("spans", "entities", "label", "labels")
_LABEL_KEYS = ("label", "intent", "category", "labels", "choice")
_LANGUAGE_KEYS = ("language", "lang", "langs", "locale")
_POS_KEYS = ("pos", "pos_tags", "upos")
_START_KEYS = ("start", "start_offset", "start_char", "begin")
_END_KEYS = ("end", "end_offset", "end_char", "stop")
_END_BYTE_KEYS = ("limit_byte", "end_byte")


@dataclass(frozen=True)
class ParsedRecord:
    """A record with its parts found, before tags are understood."""

    line: int
    about: Sentence
    """Tokens (maybe none yet), text, offsets, POS, label, language and confidence, as far as they are given."""
    tags: tuple[str | None, ...] | None = None
    marks: tuple[Mark, ...] | None = None
    in_bytes: bool = False
    """Do the marks say that they count bytes of UTF-8?"""
    tokenized: bool = True
    """Are the tokens given? If not, they are cut from the text."""


class Malformed(Exception):  # noqa: N818 - reads as what it is
    """What is wrong with one record."""


def is_pair(value: Sequence[Any]) -> bool:
    """Is a list one record, [text or tokens, tags] or [text, {"entities": ...}], and not a list of records?"""
    if len(value) != 2:
        return False
    words = isinstance(value[0], str) or _are_texts(value[0])
    return words and (isinstance(value[1], dict) or _are_tags(value[1]))


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _are_tags(value: Any) -> bool:
    return isinstance(value, list) and all(item is None or isinstance(item, str | int) for item in value)


def parse_record(line: int, value: Any, log: ReadLog) -> Iterator[ParsedRecord]:
    """The record of one record, or none if there is nothing to read in it. Raises Malformed."""
    if isinstance(value, list) and is_pair(value):
        words, marked = value
        key = "text" if isinstance(words, str) else "tokens"
        value = {key: words, **marked} if isinstance(marked, dict) else {key: words, "tags": marked}
    if not isinstance(value, dict):
        raise Malformed(f"a record is {_shown(value)}; expected an object with text or tokens, or [tokens, tags]")
    tasks = next((value[key] for key in ("annotations", "completions") if isinstance(value.get(key), list)), None)
    if isinstance(value.get("data"), dict) and tasks is not None:
        value = _of_label_studio(value["data"], tasks, line, log)
    if value.get("answer") in ("reject", "ignore") or value.get("was_cancelled"):
        log.repair(line, "skipped-record", f"answer: {value.get('answer', 'cancelled')}", "")
        return
    record = _parse(line, value)
    if not record.about.tokens and not (record.about.text or "").strip():
        log.repair(line, "skipped-record", "a record without text", "")
        return
    yield record


def _of_label_studio(data: Mapping[str, Any], annotations: Sequence[Any], line: int, log: ReadLog) -> dict[str, Any]:
    """A Label Studio task as a plain record: the first annotation that was not cancelled."""
    texts = {key: text for key, text in data.items() if isinstance(text, str)}
    made: dict[str, Any] = {"text": texts.get("text", next(iter(texts.values()), ""))}
    made |= {key: texts[key] for key in _LANGUAGE_KEYS if key in texts}
    done = [item for item in annotations if isinstance(item, dict) and not item.get("was_cancelled")]
    if annotations and not done:
        return {**made, "was_cancelled": True}
    if len(done) > 1:
        log.repair(line, "skipped-record", f"{len(done)} annotations of one text", "the first")
    if not done:
        return made
    made["spans"] = []
    results = done[0].get("result") or []
    if not isinstance(results, list):
        raise Malformed(f"the result of a Label Studio annotation is {_shown(results)}; expected a list")
    for item in results:
        value = item.get("value") if isinstance(item, dict) else None
        if not isinstance(value, dict):
            raise Malformed(f"a Label Studio result is {_shown(item)}; expected an object with a value")
        if isinstance(value.get("choices"), list) and value["choices"]:
            made["intent"] = ", ".join(map(str, value["choices"]))
        elif "start" in value:
            named = next((value[key] for key in ("labels", "hypertextlabels") if value.get(key)), ["?"])
            made["spans"].append({**value, "labels": named})
    return made


def _parse(line: int, record: Mapping[str, Any]) -> ParsedRecord:
    text = _first(record, _TEXT_KEYS, str)
    words = _first(record, _TOKEN_KEYS, list)
    if text is None and words is None:
        keys = ", ".join(map(repr, list(record)[:8])) or "none"
        raise Malformed(f'a record has neither "text" nor "tokens"; its keys: {keys}')
    offsets = record.get("offsets")
    if words is not None and words and all(isinstance(word, dict) for word in words):
        offsets = [[word.get("start"), word.get("end")] for word in words]
        words = [word.get("text") for word in words]
    if words is not None and not (_are_texts(words) and all(words)):
        raise Malformed("tokens are not a list of texts, none of them empty")
    tokens = tuple(words or ())
    key = next((key for key in _TAG_KEYS if _holds_tags(record, key, tokens)), None)
    tags = None if key is None else record[key]
    if tags is not None and any(isinstance(tag, int) for tag in tags):
        raise Malformed(f"{key} are numbers, and nothing says which tag each stands for; write their names instead")
    record = _relative(record)
    start = record.get("text_start", 0)
    if not isinstance(start, int) or start < 0:
        raise Malformed(f"text_start is {_shown(start)}; expected a number from 0")
    joined = record.get("joined") is True
    unknown = "offsets" in record and offsets is None
    placed = None if joined or unknown else _offsets(offsets, tokens, text, start)
    about = Sentence(
        tokens,
        pos=_texts(record, _POS_KEYS, len(tokens)),
        label=_label(record),
        language=_language(record),
        confidence=_confidence(record, len(tokens)),
        offsets=placed,
        text=None if joined or (tokens and placed is None and not unknown) else text,
        text_start=start,
    )
    unlabelled = "tags" in record and record["tags"] is None
    marks = None if tags is not None or unlabelled else _marks(record)
    spans = _first(record, _SPAN_KEYS, list) or ()
    in_bytes = any(isinstance(item, dict) and "start_byte" in item for item in spans)
    if marks is not None and tokens and placed is None:
        if text is None:
            raise Malformed("there are spans, but no text for them to stand in")
        return ParsedRecord(line, _cleared(about, text), None, marks, in_bytes, tokenized=False)
    return ParsedRecord(line, about, None if tags is None else tuple(tags), marks, in_bytes, tokenized=bool(tokens))


def _cleared(about: Sentence, text: str) -> Sentence:
    return Sentence((), label=about.label, language=about.language, text=text, text_start=about.text_start)


def _first(record: Mapping[str, Any], keys: Sequence[str], kind: type) -> Any:
    """The first value of these keys that is of this type."""
    return next((record[key] for key in keys if isinstance(record.get(key), kind)), None)


def _holds_tags(record: Mapping[str, Any], key: str, tokens: Sequence[str]) -> bool:
    """Tags, and no sentence labels: as many as there are tokens, or under a key that says so."""
    value = record.get(key)
    if not isinstance(value, list) or not value or not _are_tags(value):
        return False
    return len(value) == len(tokens) if key in _LABEL_KEYS else True


def _offsets(value: Any, tokens: Sequence[str], text: str | None, start: int) -> tuple[tuple[int, int], ...] | None:
    """Offsets as given (one pair a token, in order), or found by looking for the tokens in the text."""
    if value is None:
        return None if text is None else aligned(tokens, text, start)
    pairs = value if isinstance(value, list) else [value]
    for pair in pairs:
        if not (isinstance(pair, list | tuple) and len(pair) == 2 and all(type(item) is int for item in pair)):
            raise Malformed(f"an offset is {_shown(pair)}; expected a start and an end for each token")
    position = start
    for first, last in pairs:
        if not position <= first <= last:
            raise Malformed(f"the offsets {first}, {last} are not in order")
        position = last
    if len(pairs) != len(tokens):
        raise Malformed(f"there are {len(pairs)} offsets for {len(tokens)} tokens")
    if text is not None and position > start + len(text):
        raise Malformed(f"an offset is {position}, the text ends at {start + len(text)}")
    return tuple((first, last) for first, last in pairs)


def _texts(record: Mapping[str, Any], keys: Sequence[str], length: int) -> tuple[str, ...] | None:
    """A list with one text for each token."""
    value = _first(record, keys, list)
    if value is None or not length or any(type(item) is int for item in value):
        return None  # numbers that nothing names
    if not _are_texts(value) or len(value) != length:
        raise Malformed(f"part-of-speech tags are {_shown(value)}; expected {length} texts, one for each token")
    return tuple(value)


def _label(record: Mapping[str, Any]) -> str | None:
    """The category of the sentence: a text, or a list of texts that are no tags."""
    for key in _LABEL_KEYS:
        value = record.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, list) and value and _are_texts(value) and not _first(record, _TOKEN_KEYS, list):
            return ", ".join(value)
    return None


def _language(record: Mapping[str, Any]) -> str | None:
    value = next((record[key] for key in _LANGUAGE_KEYS if record.get(key)), None)
    if isinstance(value, list):
        value = value[0]
    return value if isinstance(value, str) else None


def _confidence(record: Mapping[str, Any], length: int) -> tuple[float, ...] | None:
    value = record.get("confidence")
    if not isinstance(value, list) or not length:
        return None
    if len(value) != length or not all(_is_probability(item) for item in value):
        raise Malformed(f"confidence is {_shown(value)}; expected {length} numbers from 0 to 1, one for each token")
    return tuple(float(item) for item in value)


def _is_probability(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def _relative(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A line of `onomast tag` with its `start` under the name `text_start`.

    In files of earlier versions the offsets of entities counted from the start of the whole text; their own text, which
    stands beside them, tells.
    """
    text, start, entities = record.get("text"), record.get("start"), record.get("entities")
    if not isinstance(start, int) or not isinstance(entities, list) or not isinstance(text, str):
        return record
    wanted = ("start", "end")
    if not all(isinstance(item, dict) and all(isinstance(item.get(key), int) for key in wanted) for item in entities):
        return record
    if all(text[max(0, item["start"]) : max(0, item["end"])] == item.get("text") for item in entities):
        return {**record, "text_start": start}
    moved = [{**item, "start": item["start"] - start, "end": item["end"] - start} for item in entities]
    return {**record, "text_start": start, "entities": moved}


def _marks(record: Mapping[str, Any]) -> tuple[Mark, ...] | None:
    """Marked stretches; None if no key holds any, not even an empty list."""
    for key in _SPAN_KEYS:
        value = record.get(key)
        if isinstance(value, list) and not (value and _are_texts(value)):
            return tuple(_mark(item) for item in value)
    return None


def _mark(item: Any) -> Mark:
    """A span: [start, end, label], or an object with some spelling of these."""
    if isinstance(item, list) and len(item) == 3:
        start, end, label = item
        shown = None
    elif isinstance(item, dict):
        start, end, label = _first(item, _START_KEYS, int), _first(item, _END_KEYS, int), item.get("label")
        label = (
            label if label is not None else next((item[key] for key in ("labels", "type", "tag") if key in item), None)
        )
        label = label[0] if isinstance(label, list) and label else label
        shown = item.get("text")
        if start is None and end is None:
            start, end = item.get("start_byte"), _first(item, _END_BYTE_KEYS, int)
    else:
        raise Malformed(f"a span is {_shown(item)}; expected [start, end, label], or an object with start, end, label")
    if type(start) is not int or type(end) is not int or not isinstance(label, str):
        raise Malformed(f"a span is {_shown(item)}; expected a start, an end and a label")
    return Mark(start, end, label, shown if isinstance(shown, str) else None)


def _shown(value: Any) -> str:
    """The beginning of a value, for messages."""
    said = repr(value)
    return said if len(said) <= 60 else said[:57] + "..."
