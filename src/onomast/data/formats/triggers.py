"""TriggerNER's files (Lin et al. 2020): one block for each entity, with its own tags and the words that explain it.

A row is `token tag`. Of the block's entity the tags are `B-` and `I-`, of its triggers `T-0`, `T-1` and so on (a
trigger may be several words, not always neighbours), and of all else `O`, other entities included. A sentence of
several entities has several blocks, which are joined here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from onomast.data.formats.column_layout import is_blank
from onomast.data.formats.tag_repair import Spelling, TagRepairer
from onomast.data.input_file import InputFile, ReadLog, ReadOptions
from onomast.sentence import Sentence, Trigger
from onomast.tags import OUTSIDE, Span, spans_of, tags_of

_TRIGGER = re.compile(r"T-\d+\Z")
_GAP = re.compile(r"[ \t]+")
_TAG = re.compile(r"O\Z|[BI]-.|T-\d+\Z")

_Row = tuple[int, str, str]  # line number, token, tag


@dataclass
class _Joined:
    """What the blocks of one sentence say."""

    tokens: tuple[str, ...]
    line: int
    spans: list[Span] = field(default_factory=list)
    triggers: list[Trigger] = field(default_factory=list)


def looks_like_triggers(file: InputFile) -> bool:
    """Whether the tags of two columns are `O`, `B-` (one a block at most), `I-` and, somewhere, `T-` with a number."""
    entities, triggers = 0, False
    for line in file.sample(200):
        if is_blank(line):
            entities = 0
            continue
        fields = _fields(line)
        if len(fields) != 2 or not _TAG.match(fields[1]):
            return False
        entities += fields[1].startswith("B-")
        triggers = triggers or _TRIGGER.match(fields[1]) is not None
        if entities > 1:
            return False
    return triggers


def read_triggers(file: InputFile, options: ReadOptions, log: ReadLog) -> Iterator[Sentence]:
    """Sentences with their triggers, in the order in which they first occur; the whole file is kept in memory.

    Raises DataError for a row without a tag, and for triggers in a block that has not exactly one entity.
    """
    log.style = "iob2"
    log.guess += ["entity triggers, one block for each entity", file.encoding]
    repairer = TagRepairer(Spelling(), options.orphan, log, file.name)
    joined: dict[tuple[str, ...], _Joined] = {}
    for block in _blocks(file):
        tokens = tuple(token for _, token, _ in block)
        _join(joined.setdefault(tokens, _Joined(tokens, block[0][0])), block, file, log, repairer)
    for one in joined.values():
        yield Sentence(
            one.tokens,
            tags_of(one.spans, len(one.tokens)),
            language=options.language,
            source=f"{file.name}:{one.line}",
            triggers=tuple(one.triggers),
        )


def _fields(line: str) -> list[str]:
    return _GAP.split(line.strip(" \t"))


def _blocks(file: InputFile) -> Iterator[list[_Row]]:
    block: list[_Row] = []
    for number, line in file.lines():
        if is_blank(line):
            if block:
                yield block
            block = []
            continue
        fields = _fields(line)
        if len(fields) != 2:
            raise file.error(f"{line[:60]!r} has {len(fields)} columns; expected a token and a tag", number)
        block.append((number, fields[0], fields[1]))
    if block:
        yield block


def _join(joined: _Joined, block: list[_Row], file: InputFile, log: ReadLog, repairer: TagRepairer) -> None:
    """Add a block's entity and its triggers, unless another block has said the same."""
    raw = [OUTSIDE if _TRIGGER.match(tag) else tag for _, _, tag in block]
    spans = spans_of(repairer.repaired(raw, [number for number, _, _ in block]) or ())
    tokens_of: dict[str, list[int]] = {}
    for index, (_, _, tag) in enumerate(block):
        if _TRIGGER.match(tag):
            tokens_of.setdefault(tag, []).append(index)
    line = block[0][0]
    if tokens_of and len(spans) != 1:
        raise file.error(f"a block with triggers has {len(spans)} entities; expected one, which they explain", line)
    for span in spans:
        clash = [other for other in joined.spans if span.start < other.end and other.start < span.end]
        if clash and clash != [span]:
            log.repair(line, "overlapping-span", " ".join(joined.tokens[span.start : span.end]), OUTSIDE)
            return
        if not clash:
            joined.spans.append(span)
    for _, tokens in sorted(tokens_of.items(), key=lambda item: int(item[0][2:])):
        trigger = Trigger((spans[0].start, spans[0].end), tuple(tokens))
        if trigger not in joined.triggers:
            joined.triggers.append(trigger)
