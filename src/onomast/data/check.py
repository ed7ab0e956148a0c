"""What is wrong with labelled files, and how to mend it: findings with file:line, never a verdict without the text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from onomast.data.completeness import is_too_long, split_at_full_stops, unlabelled_stretches
from onomast.data.formats.registry import Reading, write
from onomast.data.input_file import REPAIR_KINDS
from onomast.errors import quantity
from onomast.sentence import Sentence
from onomast.tags import OUTSIDE

RARE = 5  # a label with fewer entities than this cannot be learnt, nor scored
_SHOWN_TEXT = 80
_SHOWN_LINES = 5

KINDS: Mapping[str, str] = {
    **REPAIR_KINDS,
    "long-sentence": "sentences without end: the blank lines between them seem to be lost",
    "unlabelled-stretch": "a long run of sentences without an entity: they may not be labelled",
    "rare-label": f"labels with fewer than {RARE} entities: too few to learn or to score",
    "duplicate": "sentences that occur more than once in a file",
    "leaked": "sentences that stand in two of the files: scores on them mean nothing",
    "contradiction": "the same sentence, tagged in two ways",
    "inconsistent-mention": "the same words under different labels",
    "unlabelled-mention": "words that are mostly an entity, left without a label here",
}


HINTS = frozenset({"unlabelled-stretch", "rare-label", "duplicate", "inconsistent-mention", "unlabelled-mention"})
"""Kinds that may be as their authors want them: worth a look, but no errors."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    kind: str
    """One of `KINDS`."""
    source: str
    """file:line"""
    text: str
    """What stands there."""
    detail: str = ""
    """What is the matter with it."""

    @property
    def is_error(self) -> bool:
        """Is it wrong, and no mere hint? Errors set the exit status of `onomast check`."""
        return self.kind not in HINTS


def check(readings: Sequence[Reading]) -> list[Finding]:
    """Everything wrong with the files, and between them; in the order of `KINDS`, then of the files."""
    found: list[Finding] = []
    for reading in readings:
        found += _repairs(reading)
        found += _whole_file(reading)
        found += _rare_labels(reading)
        found += _duplicates(reading)
    found += _leaks(readings)
    sentences = [sentence for reading in readings for sentence in reading.sentences if sentence.tags is not None]
    found += _contradictions(sentences)
    found += _mentions(sentences)
    order = {kind: number for number, kind in enumerate(KINDS)}
    return sorted(found, key=lambda finding: order.get(finding.kind, -1))


def render(findings: Sequence[Finding], *, limit: int = 10) -> str:
    """Findings by kind, at most `limit` of each (0: all), as plain text."""
    if not findings:
        return "no errors"
    lines: list[str] = []
    by_kind: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_kind[finding.kind].append(finding)
    for kind, members in by_kind.items():
        severity = "error" if members[0].is_error else "hint"
        lines.append(f"{severity}: {kind}: {len(members):,} - {KINDS[kind]}")
        shown = members if limit == 0 else members[:limit]
        lines += [f"  {member.source}: {member.text}{' - ' * bool(member.detail)}{member.detail}" for member in shown]
        if len(shown) < len(members):
            lines.append(f"  ... and {len(members) - len(shown):,} more (--limit 0 shows all)")
    errors = sum(finding.is_error for finding in findings)
    hints = quantity(len(findings) - errors, "hint")
    lines.append(f"{quantity(errors, 'error') if errors else 'no errors'}, {hints}")
    return "\n".join(lines)


def to_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """`{"counts": {kind: number}, "errors": number, "findings": [{kind, severity, source, text, detail}]}`."""
    counts = Counter(finding.kind for finding in findings)
    rows = [{**asdict(finding), "severity": "error" if finding.is_error else "hint"} for finding in findings]
    return {"counts": dict(counts), "errors": sum(finding.is_error for finding in findings), "findings": rows}


def fix(reading: Reading, out: Path) -> list[str]:
    """Write a mended copy; returns one line for each change.

    What reading mends is mended: tags, invisible characters, columns, borders. What only a person can decide
    (duplicates, leaks, contradictions) stays.
    """
    parts = [split_at_full_stops(one) if is_too_long(one) else [one] for one in reading.sentences]
    sentences = [sentence for part in parts for sentence in part]
    write(sentences, out, style=reading.style or "iob2")
    lines = [
        f"{one.source}: a sentence of {len(one):,} tokens became {len(part):,} sentences"
        for one, part in zip(reading.sentences, parts, strict=True)
        if len(part) > 1
    ]
    lines += [
        f"{reading.path}:{repair.line}: {repair.kind}: {repair.before!r} became {repair.after!r}"
        for repair in reading.repairs
    ]
    return [*lines, f"wrote {out}: {len(sentences):,} sentences, {len(lines):,} changes"]


def _repairs(reading: Reading) -> Iterator[Finding]:
    for repair in reading.repairs:
        detail = f"read as {repair.after!r}"
        yield Finding(repair.kind, f"{reading.path}:{repair.line}", _visible(repair.before), detail)


def _whole_file(reading: Reading) -> Iterator[Finding]:
    for sentence in reading.sentences:
        if is_too_long(sentence):
            detail = f"{len(sentence):,} tokens; `onomast check {reading.path} --fix OUT` splits it at full stops"
            yield Finding("long-sentence", sentence.source or reading.path, _text(sentence), detail)
    for warning in unlabelled_stretches(reading.path, reading.sentences):
        yield Finding("unlabelled-stretch", reading.path, warning.partition(": ")[2])


def _rare_labels(reading: Reading) -> Iterator[Finding]:
    counts: Counter[str] = Counter()
    first: dict[str, Sentence] = {}
    for sentence in reading.sentences:
        for span in sentence.spans:
            counts[span.label] += 1
            first.setdefault(span.label, sentence)
    for label, count in sorted(counts.items()):
        if count < RARE:
            yield Finding("rare-label", first[label].source or reading.path, label, f"{count} in the whole file")


def _duplicates(reading: Reading) -> Iterator[Finding]:
    seen: dict[tuple[str, ...], Sentence] = {}
    for sentence in reading.sentences:
        before = seen.setdefault(sentence.tokens, sentence)
        if before is not sentence:
            yield Finding("duplicate", sentence.source or reading.path, _text(sentence), f"also at {before.source}")


def _leaks(readings: Sequence[Reading]) -> Iterator[Finding]:
    seen: dict[tuple[str, ...], Sentence] = {}
    for reading in readings:
        for sentence in reading.sentences:
            before = seen.get(sentence.tokens)
            if before is not None:
                yield Finding("leaked", sentence.source or reading.path, _text(sentence), f"also at {before.source}")
        for sentence in reading.sentences:
            seen.setdefault(sentence.tokens, sentence)


def _contradictions(sentences: Sequence[Sentence]) -> Iterator[Finding]:
    seen: dict[tuple[str, ...], Sentence] = {}
    for sentence in sentences:
        before = seen.setdefault(sentence.tokens, sentence)
        if before.tags != sentence.tags:
            pairs = zip(sentence.tokens, before.tags or (), sentence.tags or (), strict=True)
            token, old, new = next((token, old, new) for token, old, new in pairs if old != new)
            detail = f"{token!r} is {new} here, {old} at {before.source}"
            yield Finding("contradiction", sentence.source or "", _text(sentence), detail)


def _mentions(sentences: Sequence[Sentence]) -> Iterator[Finding]:
    """Mentions under several labels, and unlabelled occurrences of what is labelled three times and mostly."""
    labelled: dict[tuple[str, ...], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for sentence in sentences:
        for span in sentence.spans:
            labelled[sentence.tokens[span.start : span.end]][span.label].append(sentence.source or "")
    bare = _unlabelled(sentences, labelled)
    for mention, labels in sorted(labelled.items(), key=lambda item: -sum(map(len, item[1].values()))):
        counts = ", ".join(f"{label} {len(lines)}x ({_lines(lines)})" for label, lines in sorted(labels.items()))
        number = sum(map(len, labels.values()))
        first = next(iter(labels.values()))[0]
        if len(labels) > 1:
            detail = counts + (f", no label {len(bare[mention])}x ({_lines(bare[mention])})" if bare[mention] else "")
            yield Finding("inconsistent-mention", first, " ".join(mention), detail)
        elif number >= 3 and 0 < len(bare[mention]) < number:
            yield Finding(
                "unlabelled-mention", bare[mention][0], " ".join(mention), f"{counts}, none {_lines(bare[mention])}"
            )


def _unlabelled(
    sentences: Sequence[Sentence], mentions: Mapping[tuple[str, ...], object]
) -> dict[tuple[str, ...], list[str]]:
    """Where each mention stands without any label."""
    lengths: dict[str, set[int]] = defaultdict(set)
    for mention in mentions:
        lengths[mention[0]].add(len(mention))
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for sentence in sentences:
        tags = sentence.tags or ()
        for start, token in enumerate(sentence.tokens):
            for length in lengths.get(token, ()):
                words = sentence.tokens[start : start + length]
                if words in mentions and all(tag == OUTSIDE for tag in tags[start : start + length]):
                    found[words].append(sentence.source or "")
    return found


def describe(readings: Sequence[Reading]) -> dict[str, Any]:
    """Sizes, labels and lengths of each file, and what each shares with the first."""
    first = readings[0]
    files = [_describe(reading) for reading in readings]
    overlaps = [_overlap(first, other) for other in readings[1:]]
    return {"files": files, "overlaps": overlaps}


def _describe(reading: Reading) -> dict[str, Any]:
    sentences = reading.sentences
    lengths = sorted(map(len, sentences))
    spans = [(sentence, span) for sentence in sentences for span in sentence.spans]
    tokens = sum(lengths)
    return {
        "file": reading.path,
        "format": reading.guess,
        "sentences": len(sentences),
        "tokens": tokens,
        "distinct_words": len({token for sentence in sentences for token in sentence.tokens}),
        "sentence_length": {
            "mean": round(tokens / len(lengths), 2),
            "median": lengths[len(lengths) // 2],
            "longest": lengths[-1],
        },
        "entities": len(spans),
        "labels": dict(sorted(Counter(span.label for _, span in spans).items())),
        "distinct_mentions": len({sentence.tokens[span.start : span.end] for sentence, span in spans}),
        "without_entity": sum(not sentence.spans for sentence in sentences),
        "not_annotated_tokens": sum(
            sentence.tags.count(None) if sentence.tags else len(sentence) for sentence in sentences
        ),
        "pos": dict(Counter(pos for sentence in sentences for pos in sentence.pos or ()).most_common()),
        "sentence_labels": dict(Counter(s.label for s in sentences if s.label is not None).most_common()),
        "languages": dict(Counter(s.language for s in sentences if s.language is not None).most_common()),
        "repairs": dict(Counter(repair.kind for repair in reading.repairs)),
    }


def _overlap(first: Reading, other: Reading) -> dict[str, Any]:
    known = {sentence.tokens for sentence in first.sentences}
    words = {token for sentence in first.sentences for token in sentence.tokens}
    mentions = {s.tokens[span.start : span.end] for s in first.sentences for span in s.spans}
    theirs = [s.tokens[span.start : span.end] for s in other.sentences for span in s.spans]
    tokens = [token for sentence in other.sentences for token in sentence.tokens]
    return {
        "file": other.path,
        "with": first.path,
        "sentences": sum(sentence.tokens in known for sentence in other.sentences),
        "unknown_words": round(sum(token not in words for token in tokens) / max(1, len(tokens)), 4),
        "unseen_entities": round(sum(mention not in mentions for mention in theirs) / max(1, len(theirs)), 4),
    }


def render_description(description: Mapping[str, Any]) -> str:
    """The figures of `describe` as plain text."""
    lines: list[str] = []
    for file in description["files"]:
        length = file["sentence_length"]
        lines += [
            f"{file['file']}  ({file['format']})",
            f"  sentences  {file['sentences']:,}, {file['without_entity']:,} of them without an entity; tokens "
            f"{length['mean']} on average, {length['median']} in the middle, {length['longest']:,} at most",
            f"  tokens     {file['tokens']:,}, distinct words {file['distinct_words']:,}",
            f"  entities   {file['entities']:,}, distinct {file['distinct_mentions']:,}: {_counted(file['labels'])}",
        ]
        extras = {"POS": "pos", "categories": "sentence_labels", "languages": "languages", "repairs": "repairs"}
        lines += [f"  {name:10} {_counted(file[key])}" for name, key in extras.items() if file[key]]
        if file["not_annotated_tokens"]:
            lines.append(f"  not annotated: {file['not_annotated_tokens']:,} tokens")
    for overlap in description["overlaps"]:
        lines.append(
            f"{overlap['file']} against {overlap['with']}: {overlap['sentences']:,} sentences in both, "
            f"{overlap['unknown_words']:.1%} of its tokens and {overlap['unseen_entities']:.1%} of its entities unseen"
        )
    return "\n".join(lines)


def _counted(counts: Mapping[str, int]) -> str:
    shown = [f"{name} {number:,}" for name, number in counts.items()]
    return ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else "")


def _text(sentence: Sentence) -> str:
    text = " ".join(sentence.tokens)
    return text if len(text) <= _SHOWN_TEXT else text[: _SHOWN_TEXT - 1] + "…"


def _visible(text: str) -> str:
    """Invisible characters as escapes, so that the reader sees what is wrong."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _lines(sources: Sequence[str]) -> str:
    """`lines 3, 17 and 4 more`, with the file's name only where files differ."""
    paths = {source.rpartition(":")[0] for source in sources}
    shown = [source.rpartition(":")[2] if len(paths) == 1 else source for source in sources[:_SHOWN_LINES]]
    more = f" and {len(sources) - len(shown)} more" if len(sources) > len(shown) else ""
    return ("line " if len(sources) == 1 else "lines ") * (len(paths) == 1) + ", ".join(shown) + more
