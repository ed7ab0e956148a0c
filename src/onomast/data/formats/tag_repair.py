"""Tags as they stand in files -> legal IOB2, with a repair for everything that was not as the file's scheme demands.

`Spelling` is how one file writes its tags. A legal sentence costs one table look-up a token; only others are looked at
closely, with the rules of `onomast.tags`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from onomast.data.input_file import ReadLog
from onomast.errors import DataError
from onomast.tags import OUTSIDE, Orphan, Style, Tag, Tags, convert, faults, guess_style, prefixes_of

UNKNOWN = "_"  # what a tag column holds for a token that is not annotated
OUTSIDE_WORDS = (OUTSIDE, "o", "NoLabel", "OTHER", "Other", "other", "NONE", "None", "none", "OUTSIDE", "outside")
_SEPARATORS = ("-", "_", ":", "/", "|", ".", "#", " ")
# Every prefix letter, as its meaning in IOBES.
_MEANING = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S"}
# Marks in place of `B-` and so on, until a tag is mended:
_FOREIGN_TAG = re.compile(r"[A-Z]-")
_BARE = "?"  # the prefix is missing
_FOREIGN = "!"  # the prefix belongs to no scheme
_BROKEN = _BARE + _FOREIGN


@dataclass(frozen=True)
class Spelling:
    """How a file writes its tags."""

    separator: str | None = "-"
    """Between prefix and label; "" where they are written together (`BNEP`); None where labels have no prefix."""
    outside: str = OUTSIDE
    """The word for a token outside every entity."""
    style: Style = "iob2"
    lower: bool = False
    """Are the prefixes small letters?"""
    is_reversed: bool = False
    """Does the prefix come after the label, as in `LOC-B`?"""
    labels: frozenset[str] = frozenset()
    """Labels of the tags by which the spelling was guessed."""

    @property
    def words(self) -> str:
        """For people: the scheme, and what is unusual in it."""
        said = "labels without prefix" if self.separator is None else f"tags {self.style.upper()}"
        if self.separator not in (None, "-"):
            said += " written together" if not self.separator else f" with {self.separator!r} between prefix and label"
        if self.is_reversed:
            said += ", the label first"
        return said if self.outside == OUTSIDE else f"{said}, {self.outside} for O"


def guess_spelling(sentences: Sequence[Sequence[str | None]], style: Style | None = None) -> Spelling | None:
    """How these raw tags are written, or None if they are no tags. `style`, where given, is believed."""
    counted = Counter(tag for tags in sentences for tag in tags if tag not in (None, "", UNKNOWN))
    outside = next((word for word in OUTSIDE_WORDS if word in counted), OUTSIDE)
    counted.pop(outside, None)
    if not counted:
        return Spelling(outside=outside, style=style or "iob2")
    lower = all(tag[0] in "biesl" and tag[1:2] in _SEPARATORS for tag in counted)
    if lower:
        counted = Counter({tag[0].upper() + tag[1:]: number for tag, number in counted.items()})
    separator = None if style == "io" and not _is_prefixed(counted, "-") else _separator(counted)
    is_reversed = False
    if separator is None and style != "io":
        turned = Counter({_turned(tag): number for tag, number in counted.items()})
        if all(tag[-1:].isupper() and tag[-2:-1] in _SEPARATORS for tag in counted):
            separator, is_reversed = _separator(turned), True
    if separator is None:
        return Spelling(None, outside, "io")
    spelling = Spelling(separator, outside, style or "iobes", lower, is_reversed)
    if style is None:
        known = _without_slips([[_known(tag, spelling) for tag in tags] for tags in sentences])
        spelling = replace(spelling, style=next(iter(guess_style(known)), "iobes"))
    return replace(spelling, labels=_labels(counted, spelling))


def _turned(tag: str) -> str:
    """`LOC-B` -> `B-LOC`."""
    return tag[-1:] + tag[-2:-1] + tag[:-2]


def _labels(counted: Counter[str], spelling: Spelling) -> frozenset[str]:
    tags = [_canonical(_visible(tag), spelling) for tag in counted]
    return frozenset(tag[2:] for tag in tags if tag is not None and tag[1:2] == "-" and tag[0] not in _BROKEN)


def _without_slips(sentences: list[list[Tag]]) -> list[list[Tag]]:
    """A few tags with the letter of an end or of a single in a file of B and I are slips; they do not make a scheme."""
    counted = Counter(tag[0] for tags in sentences for tag in tags if tag not in (None, OUTSIDE))
    slips = {letter for letter in counted if letter not in "BI"}
    if not 0 < sum(counted[letter] for letter in slips) < 0.02 * counted.total():
        return sentences
    return [[None if tag is not None and tag[0] in slips else tag for tag in tags] for tags in sentences]


def _known(tag: str | None, spelling: Spelling) -> Tag:
    """The tag with a hyphen, its prefix as it is; None if it is malformed."""
    made = None if tag is None else _canonical(_visible(tag), spelling)
    if tag is None or made is None or made[0] in _BROKEN:
        return None
    if made == OUTSIDE:
        return made
    return (_visible(tag)[-1] if spelling.is_reversed else _visible(tag)[0].upper()) + made[1:]


def _is_prefixed(counted: Counter[str], separator: str) -> int:
    """How many tags are a prefix letter and the separator, or begin with it (`-LOC`, the letter being lost)."""
    return sum(
        number
        for tag, number in counted.items()
        if (tag[0] in _MEANING and tag[1:2] == separator) or (tag[0] == separator and len(tag) > 1)
    )


def _separator(counted: Counter[str]) -> str | None:
    """What stands between prefix and label in at least half of the tags."""
    total = sum(number for tag, number in counted.items() if not _FOREIGN_TAG.match(tag))
    for separator in _SEPARATORS:
        if _is_prefixed(counted, separator) * 2 > total:
            return separator
    begun = {tag[1:] for tag in counted if tag[0] == "B" and len(tag) > 1}
    inside = {tag[1:] for tag in counted if tag[0] in "IM" and len(tag) > 1}
    if begun & inside and all(tag[0] in _MEANING and tag[1:] in begun | inside for tag in counted):
        return ""
    return None


def _visible(tag: str) -> str:
    """Without white space at the ends and without invisible characters."""
    if tag.isascii() and tag.isprintable():
        return tag.strip()
    return "".join(letter for letter in tag if unicodedata.category(letter) not in ("Cf", "Cc")).strip()


def _canonical(tag: str, spelling: Spelling) -> Tag:
    """`B-LOC` of any spelling; `?LOC` if there is no prefix, `!T-LOC` if it is unknown; None if nothing is left."""
    if tag in (spelling.outside, OUTSIDE):
        return OUTSIDE
    if tag in ("", UNKNOWN, "-"):
        return None
    separator = spelling.separator
    if separator is None:
        return f"I-{tag}"
    if spelling.is_reversed and tag[-2:-1] == separator:
        tag = _turned(tag)
    prefix, label = (tag[0], tag[len(separator) + 1 :]) if tag[1:].startswith(separator) else ("", tag)
    if spelling.lower:
        prefix = prefix.upper()
    if prefix in _MEANING:
        return f"{_own_prefix(_MEANING[prefix], spelling.style)}-{label}" if label else None
    almost = _almost(tag, spelling)
    if almost is not None:
        return almost
    if prefix and separator and prefix.isalpha() and prefix.isupper():
        return _FOREIGN + tag
    return _BARE + (tag.removeprefix(separator) or tag)


def _almost(tag: str, spelling: Spelling) -> Tag:
    """A tag of another spelling than the file's: `B_LOC`, `b-loc`, `LOC-B` beside `B-LOC`; None if it is none of them.

    Its label has to be one of the file's, but for small letters.
    """
    known = {label.casefold(): label for label in spelling.labels}
    for prefix, separator, label in ((tag[:1], tag[1:2], tag[2:]), (tag[-1:], tag[-2:-1], tag[:-2])):
        if separator in _SEPARATORS and prefix.upper() in _MEANING and label.casefold() in known:
            return f"{_own_prefix(_MEANING[prefix.upper()], spelling.style)}-{known[label.casefold()]}"
    return None


def _own_prefix(meaning: str, style: Style) -> str:
    """The style's letter for a part of an entity, or the nearest it has."""
    own = {_MEANING[letter]: letter for letter in prefixes_of(style)}
    begins = "I" if style == "iob1" else own.get("B", "I")
    return own.get(meaning) or {"B": begins, "S": begins, "E": own["I"], "I": own["I"]}[meaning]


def _is_own(tag: Tag, raw: str, spelling: Spelling) -> bool:
    """Has the raw tag a prefix of the file's style, or none because none has?"""
    if tag == OUTSIDE or spelling.separator is None:
        return True
    return raw[-1:] == str(tag)[0] if spelling.is_reversed else raw[:1].upper() == str(tag)[0]


def _is_written_so(tag: Tag, raw: str, spelling: Spelling) -> bool:
    """Is the raw tag spelled as the file spells its tags?"""
    if tag in (None, OUTSIDE) or spelling.separator is None:
        return True
    label = str(tag)[2:]
    return (
        raw[:-2] == label
        if spelling.is_reversed
        else raw[1 + len(spelling.separator) :] == label
        and (raw[1:].startswith(spelling.separator) and (spelling.lower or raw[:1].isupper()))
    )


@dataclass
class _Row:
    """What may follow one tag: raw tag -> (IOB2 tag, the row of that tag); None where it may not."""

    before: Tag
    ends: bool
    """May a sentence end here?"""
    after: dict[str | None, tuple[Tag, _Row] | None] = field(default_factory=dict)


class TagRepairer:
    """Raw tags of one file -> IOB2 tags, one sentence at a time."""

    def __init__(self, spelling: Spelling, orphan: Orphan, log: ReadLog, name: str) -> None:
        self._spelling = spelling
        self._orphan = orphan
        self._log = log
        self._name = name
        self._rows: dict[Tag, _Row] = {}

    def repaired(self, raw: Sequence[str | None], lines: Sequence[int]) -> tuple[Tag, ...] | None:
        """IOB2 tags, or None if no token is annotated. `lines` hold the line of each tag, for repairs.

        Raises DataError for a prefix that no scheme has, such as `T-LOC`.
        """
        made: list[Tag] = []
        row = self._row(OUTSIDE)
        for tag in raw:
            try:
                found = row.after[tag]
            except KeyError:
                found = row.after[tag] = self._step(row.before, tag)
            if found is None:
                return self._closely(raw, lines)
            made.append(found[0])
            row = found[1]
        if not row.ends:
            return self._closely(raw, lines)
        return tuple(made) if any(made) else None

    def _row(self, tag: Tag) -> _Row:
        if tag not in self._rows:
            self._rows[tag] = _Row(tag, ends=not faults((None, tag, OUTSIDE), self._spelling.style))
        return self._rows[tag]

    def _step(self, before: Tag, raw: str | None) -> tuple[Tag, _Row] | None:
        """What becomes of a raw tag after a tag of the file's style; None if it takes a closer look."""
        style = self._spelling.style
        tag = None if raw is None else _canonical(raw, self._spelling)
        if tag is None:
            whole = raw in (None, UNKNOWN)
        else:
            whole = tag[0] not in _BROKEN and raw == _visible(raw or "") and _is_own(tag, raw or "", self._spelling)
            whole = whole and _is_written_so(tag, raw or "", self._spelling)
        if not whole or faults((None, before, tag, None), style):
            return None
        return converted((before, tag), style, "conlleval")[1], self._row(tag)

    def _closely(self, raw: Sequence[str | None], lines: Sequence[int]) -> tuple[Tag, ...] | None:
        """As `mend`, for sentences in which something is wrong: every such place becomes a repair."""
        style = self._spelling.style
        tags: list[Tag] = []
        kinds: dict[int, str] = {}
        for index, value in enumerate(raw):
            seen = UNKNOWN if value is None else _visible(value)
            tag = _canonical(seen, self._spelling)
            if seen != (UNKNOWN if value is None else value):
                kinds[index] = "invisible-character"
            if tag is not None and tag[0] == _FOREIGN:
                raise self._foreign(seen, lines[index])
            if tag is not None and tag[0] == _BARE:
                is_known = tag[1:] in self._spelling.labels or tag[1:] in {str(own)[2:] for own in self._rows}
                kinds[index] = "malformed-tag" if is_known else "doubtful-tag"
                tag = self._by_context(seen, tag[1:], raw[index - 1] if index else None, tags)
            elif tag is None:
                if seen != UNKNOWN:
                    kinds[index] = "malformed-tag" if seen else "missing-column"
            elif not _is_written_so(tag, seen, self._spelling):
                kinds[index] = "malformed-tag"
            elif not _is_own(tag, seen, self._spelling):
                kinds.setdefault(index, "illegal-tag")
            tags.append(tag)
        made = converted(tags, style, self._orphan)
        kinds = {index: "illegal-tag" for index, _ in faults(tags, style)} | kinds
        for index, kind in sorted(kinds.items()):
            self._log.repair(lines[index], kind, raw[index] or "", made[index] or UNKNOWN)
        return made if any(made) else None

    def _by_context(self, seen: str, label: str, before: str | None, tags: Sequence[Tag]) -> str:
        """A label without prefix goes on with the same label before it; a lost letter (`-LOC`) is that of a beginning.

        (Where first letters are lost, as in IL-NER, those of `I-` are still there.)
        """
        style, lost = self._spelling.style, seen.startswith(self._spelling.separator or "\0")
        after_same = bool(tags) and str(tags[-1])[2:] == label
        goes_on = after_same and seen == before and not lost
        begins = "B" if style == "iob1" and after_same else _own_prefix("B", style)
        return f"{_own_prefix('I', style) if goes_on else begins}-{label}"

    def _foreign(self, tag: str, line: int) -> DataError:
        return DataError(
            f"the tag {tag!r} has a prefix of no scheme; expected O, or B- I- E- S- L- U- M- before the label; "
            "mend the tag, or name the column of the tags with --columns",
            path=self._name,
            line=line,
        )


def converted(tags: Tags, style: Style, orphan: Orphan) -> tuple[Tag, ...]:
    """Tags of a style -> IOB2, where a neighbour that is not annotated may be the other half of an entity."""
    made: list[Tag] = []
    for known, run in groupby(tags, key=lambda tag: tag is not None):
        part = list(run)
        if not known:
            made += part
            continue
        begun = bool(made) and bool(faults((OUTSIDE, part[0], None), style))
        goes_on = len(made) + len(part) < len(tags) and bool(faults((None, part[-1], OUTSIDE), style))
        opened = [f"{_own_prefix('B', style)}-{str(part[0])[2:]}"] if begun else []
        closed = [f"{_own_prefix('E', style)}-{str(part[-1])[2:]}"] if goes_on else []
        made += convert([*opened, *part, *closed], style, "iob2", orphan)[len(opened) :][: len(part)]
    return tuple(made)
