"""Tags and spans: IOB1, IOB2, IOBES, BILOU, BMESO and IO <-> spans <-> ids, and which tag may follow which.

The only place where tag schemes exist. Everywhere else tags are IOB2, and `None` means "not annotated".
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from onomast.errors import OnomastError, nearest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Style = Literal["iob1", "iob2", "iobes", "bilou", "bmeso", "io"]
Orphan = Literal["conlleval", "strict"]
Tag = str | None  # None: not annotated
Tags = Sequence[Tag]

STYLES: tuple[Style, ...] = ("iob1", "iob2", "iobes", "bilou", "bmeso", "io")
ORPHAN_RULES: tuple[Orphan, ...] = ("conlleval", "strict")
OUTSIDE = "O"

# Every style's prefixes, as the prefixes of IOBES that mean the same. Both spellings of a borrowed letter are read.
_TO_IOBES: dict[Style, dict[str, str]] = {
    "iob1": {"B": "B", "I": "I"},
    "iob2": {"B": "B", "I": "I"},
    "iobes": {"B": "B", "I": "I", "E": "E", "S": "S"},
    "bilou": {"B": "B", "I": "I", "L": "E", "U": "S"},
    "bmeso": {"B": "B", "M": "I", "E": "E", "S": "S"},
    "io": {"I": "I"},
}
_FROM_IOBES: dict[Style, dict[str, str]] = {
    style: {iobes: own for own, iobes in table.items()} for style, table in _TO_IOBES.items()
}


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """An entity: tokens `start` to `end` (exclusive) carry `label`."""

    start: int
    end: int
    label: str


def prefixes_of(style: Style) -> tuple[str, ...]:
    """The tag prefixes of a style, such as `("B", "I", "E", "S")` for IOBES."""
    return tuple(_TO_IOBES[style])


def split_tag(tag: Tag) -> tuple[str, str]:
    """`"B-LOC"` -> `("B", "LOC")`; `"O"` and `None` -> `("O", "")`; a tag with no prefix counts as `I`."""
    if tag is None or tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, hyphen, label = tag.partition("-")
    return (prefix, label) if hyphen else ("I", tag)


def spans_of(tags: Tags, style: Style = "iob2", orphan: Orphan = "conlleval") -> list[Span]:
    """The one function that turns tags into spans.

    `orphan` names what happens to tags that no legal sequence contains, such as an `I-` after `O`:

    - `conlleval`: the tag opens an entity (as the CoNLL-2000 script and seqeval's default mode do);
    - `strict`: it belongs to no entity (as seqeval's strict mode does).

    Raises OnomastError for a prefix that the style does not have.
    """
    parts = [_as_iobes(tag, style) for tag in tags]
    if orphan == "strict":
        return _strict_spans(parts, style)
    return _conlleval_spans(parts)


def tags_of(spans: Iterable[Span], length: int, style: Style = "iob2") -> tuple[str, ...]:
    """Tags of `length` tokens from spans that do not overlap.

    Raises OnomastError for overlapping spans or one outside the sentence.
    """
    table = _FROM_IOBES["iob2" if style == "iob1" else style]
    tags = [OUTSIDE] * length
    previous: Span | None = None
    for span in sorted(spans):
        if not 0 <= span.start < span.end <= length:
            raise OnomastError(f"{span} does not fit a sentence of {length} tokens")
        if previous is not None and span.start < previous.end:
            raise OnomastError(f"{span} overlaps {previous}; entities must not overlap")
        for index in range(span.start, span.end):
            first, last = index == span.start, index == span.end - 1
            part = "S" if first and last else "B" if first else "E" if last else "I"
            if part not in table:
                part = "B" if first and "B" in table else "I"
            tags[index] = f"{table[part]}-{span.label}"
        if style == "iob1" and not (previous and previous.end == span.start and previous.label == span.label):
            tags[span.start] = f"I-{span.label}"
        previous = span
    return tuple(tags)


def convert(tags: Tags, source: Style, target: Style, orphan: Orphan = "conlleval") -> tuple[Tag, ...]:
    """Rewrite tags of one style in another; tokens that are not annotated stay `None`.

    After such a token an inside tag stays inside: the entity may have begun there.
    """
    if source == target == "iob2" and _is_legal_iob2(tags):
        return tuple(tags)
    made: list[Tag] = list(tags_of(spans_of(tags, source, orphan), len(tags), target))
    inner, meaning = {"B": "I", "S": "E"}, _TO_IOBES[target]
    for index, tag in enumerate(tags):
        if tag is None:
            made[index] = None
        elif index and tags[index - 1] is None and _as_iobes(tag, source)[0] in ("I", "E"):
            prefix, label = split_tag(made[index])
            part = inner.get(meaning.get(prefix, ""), "")
            made[index] = f"{_FROM_IOBES[target][part]}-{label}" if part in _FROM_IOBES[target] else made[index]
    return tuple(made)


def faults(tags: Tags, style: Style = "iob2") -> list[tuple[int, str]]:
    """Every place where the sequence is illegal in its style: (token, what is wrong).

    A neighbour that is not annotated excuses everything.
    """
    parts = [_as_iobes(tag, style) for tag in tags]
    found: list[tuple[int, str]] = []
    for index, (prefix, label) in enumerate(parts):
        if tags[index] is None:
            continue
        if index == 0 or tags[index - 1] is not None:
            before = parts[index - 1] if index else (OUTSIDE, "")
            if not _may_follow(before, (prefix, label), style):
                shown = tags[index - 1] if index else "the start of the sentence"
                found.append((index, f"{tags[index]} after {shown}"))
                continue
        last = index + 1 == len(parts)
        if (last or tags[index + 1] is not None) and style in ("iobes", "bilou", "bmeso") and prefix in ("B", "I"):
            after = (OUTSIDE, "") if last else parts[index + 1]
            if after[1] != label or after[0] in ("B", "S"):
                shown = "the end of the sentence" if last else tags[index + 1]
                found.append((index, f"{tags[index]} is not closed before {shown}"))
    return found


def guess_style(sequences: Iterable[Tags]) -> list[Style]:
    """The styles in which these tags break the fewest rules, likeliest first; more than one means a tie.

    A file whose tags all begin entities (`B-` alone) is IOB2; one with no prefix at all is IO.
    """
    sequences = [tags for tags in sequences if any(tag not in (None, OUTSIDE) for tag in tags)]
    used = {split_tag(tag)[0] for tags in sequences for tag in tags if tag not in (None, OUTSIDE)}
    if all("-" not in tag for tags in sequences for tag in tags if tag not in (None, OUTSIDE)):
        return ["io"]
    fitting: list[Style] = [style for style in STYLES if style != "io" and used <= set(_TO_IOBES[style])]
    if used == {"I"}:
        fitting = ["iob1"]
    counted = {style: sum(len(faults(tags, style)) for tags in sequences) for style in fitting}
    best = min(counted.values(), default=0)
    ties = [style for style in fitting if counted[style] == best]
    # Legal in both with B at every start: IOB2, unless adjacent entities show that B is the exception (IOB1).
    return ["iob2"] if "iob2" in ties else ties


@dataclass(frozen=True)
class TagScheme:
    """What a tagger predicts: labels and a style -> tags, ids (0 is `O`), and the legal transitions.

    `style` is one of iob2, iobes, bilou, bmeso. Sentences stay IOB2: `encode` and `decode` convert.
    """

    labels: tuple[str, ...]
    style: Style = "iobes"

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """All K tags in the order of their ids, `O` first."""
        return (OUTSIDE, *(f"{prefix}-{label}" for label in self.labels for prefix in prefixes_of(self.style)))

    @cached_property
    def ids(self) -> Mapping[str, int]:
        """Tag -> id."""
        return {tag: index for index, tag in enumerate(self.tags)}

    def encode(self, tags: Tags) -> list[int]:
        """IOB2 tags -> ids; -1 for a token that is not annotated. Raises OnomastError for an unknown label."""
        try:
            return [-1 if tag is None else self.ids[tag] for tag in convert(tags, "iob2", self.style)]
        except KeyError as error:
            label = split_tag(error.args[0])[1]
            raise OnomastError(f"label {label!r} is not one the tagger knows; {nearest(label, self.labels)}") from None

    def allowed(self, tags: Tags, unannotated: Iterable[str] = ()) -> npt.NDArray[np.bool_]:
        """bool (T, K): the tags each token may have, given IOB2 tags some of which are not annotated.

        Beside a token that is not annotated an entity may go on or end: `B-PER` before `None` is B or S in IOBES.
        Where `unannotated` names labels that the annotation leaves out, an `O` may be any tag of theirs (of those this
        scheme has); the legal paths of these tags keep every annotated entity as it is.
        """
        import numpy as np

        left_out = {"", *unannotated}
        outside = np.array([split_tag(tag)[1] in left_out for tag in self.tags])
        allowed: npt.NDArray[np.bool_] = np.zeros((len(tags), len(self.tags)), bool)
        for index, tag in enumerate(tags):
            if tag is None or tag == OUTSIDE:
                after_entity = index > 0 and tags[index - 1] not in (None, OUTSIDE)
                allowed[index] = True if tag is None else outside & self.starts if after_entity else outside
                continue
            after = tags[index + 1] if index + 1 < len(tags) else OUTSIDE
            follows = ("I-" + split_tag(tag)[1], OUTSIDE) if after is None else (after,)
            for following in follows:
                before = ("B-" + split_tag(tag)[1],) if split_tag(tag)[0] == "I" else ()
                converted = convert([*before, tag, following], "iob2", self.style)
                allowed[index, self.ids[str(converted[-2])]] = True
        return allowed

    def decode(self, ids: Iterable[int], orphan: Orphan = "conlleval") -> tuple[Tag, ...]:
        """Ids of a legal or illegal sequence -> IOB2 tags."""
        ids = list(ids)
        if self._legal_pairs.issuperset(zip([-1, *ids], [*ids, -1], strict=True)):
            return tuple(map(self._iob2.__getitem__, ids))
        return convert([self.tags[index] for index in ids], self.style, "iob2", orphan)

    @cached_property
    def _legal_pairs(self) -> frozenset[tuple[int, int]]:
        """Pairs of ids that may follow each other, -1 at both ends of a sentence. In IO and IOB1 more is needed."""
        if self.style in ("io", "iob1"):
            return frozenset()
        rows = self.transitions.tolist()
        pairs = {(before, tag) for before, row in enumerate(rows) for tag, legal in enumerate(row) if legal}
        starts = {(-1, tag) for tag, legal in enumerate(self.starts.tolist()) if legal}
        ends = {(tag, -1) for tag, legal in enumerate(self.ends.tolist()) if legal}
        return frozenset(pairs | starts | ends)

    @cached_property
    def _iob2(self) -> tuple[str, ...]:
        """The IOB2 tag of each id in a legal sequence."""
        parts = [_as_iobes(tag, self.style) for tag in self.tags]
        first = {"S": "B", "E": "I"}
        return tuple(
            OUTSIDE if prefix == OUTSIDE else f"{first.get(prefix, prefix)}-{label}" for prefix, label in parts
        )

    @cached_property
    def transitions(self) -> npt.NDArray[np.bool_]:
        """bool (K, K): may tag j follow tag i?"""
        import numpy as np

        parts = [_as_iobes(tag, self.style) for tag in self.tags]
        legal: npt.NDArray[np.bool_] = np.array(
            [[_may_follow(a, b, self.style) and _may_leave(a, b, self.style) for b in parts] for a in parts]
        )
        return legal

    @cached_property
    def starts(self) -> npt.NDArray[np.bool_]:
        """bool (K,): may a sentence begin with the tag?"""
        row: npt.NDArray[np.bool_] = self.transitions[0]
        return row

    @cached_property
    def ends(self) -> npt.NDArray[np.bool_]:
        """bool (K,): may a sentence end with the tag?"""
        column: npt.NDArray[np.bool_] = self.transitions[:, 0]
        return column


def _is_legal_iob2(tags: Tags) -> bool:
    """The common case, quickly: every token annotated, every `I-` after its own entity."""
    before: Tag = OUTSIDE
    for tag in tags:
        if tag != OUTSIDE and (
            tag is None or not (tag[:2] == "B-" or (tag[:2] == "I-" and before in (tag, f"B-{tag[2:]}")))
        ):
            return False
        before = tag
    return True


def _as_iobes(tag: Tag, style: Style) -> tuple[str, str]:
    prefix, label = split_tag(tag)
    if prefix == OUTSIDE:
        return prefix, label
    try:
        return _TO_IOBES[style][prefix], label
    except KeyError:
        raise OnomastError(
            f"tag {tag!r} has no prefix of the {style} scheme; expected O or one of "
            + ", ".join(f"{known}-" for known in _TO_IOBES[style])
        ) from None


def _may_follow(before: tuple[str, str], tag: tuple[str, str], style: Style) -> bool:
    """Does `before` allow `tag` to its right, as far as the right tag's prefix demands something on its left?"""
    prefix, label = tag
    inside_left = before[1] == label and before[0] in ("B", "I")
    if style == "io" or prefix in (OUTSIDE, "S"):
        return True
    if style == "iob1":
        return prefix == "I" or (before[1] == label and before[0] != OUTSIDE)
    return True if prefix == "B" else inside_left


def _may_leave(before: tuple[str, str], tag: tuple[str, str], style: Style) -> bool:
    """Does `before` allow `tag` to its right, as far as an open entity has to be closed?"""
    if style not in ("iobes", "bilou", "bmeso") or before[0] not in ("B", "I"):
        return True
    return tag[1] == before[1] and tag[0] in ("I", "E")


def _conlleval_spans(parts: Sequence[tuple[str, str]]) -> list[Span]:
    spans: list[Span] = []
    start, open_label = -1, ""
    before, before_label = OUTSIDE, ""
    for index, (prefix, label) in enumerate(itertools.chain(parts, [(OUTSIDE, "")])):
        changed = label != before_label
        ends = before != OUTSIDE and (before in ("E", "S") or prefix in ("B", "S", OUTSIDE) or changed)
        starts = prefix != OUTSIDE and (prefix in ("B", "S") or before in ("E", "S", OUTSIDE) or changed)
        if ends and start >= 0:
            spans.append(Span(start, index, open_label))
            start = -1
        if starts:
            start, open_label = index, label
        before, before_label = prefix, label
    return spans


def _strict_spans(parts: Sequence[tuple[str, str]], style: Style) -> list[Span]:
    """Only what the style's own rules make an entity."""
    closes = style in ("iobes", "bilou", "bmeso")
    spans: list[Span] = []
    index = 0
    while index < len(parts):
        prefix, label = parts[index]
        before = parts[index - 1] if index else (OUTSIDE, "")
        if not _strict_start(prefix, label, before, style):
            index += 1
            continue
        end = index + 1
        if prefix != "S":
            while end < len(parts) and parts[end][1] == label and parts[end][0] in ("I", "E"):
                end += 1
                if parts[end - 1][0] == "E":
                    break
        if style == "iob1" and end < len(parts):
            # As in seqeval, a B before a B of another label is the end of nothing.
            ended = not (parts[end - 1][0] == "B" and parts[end][0] == "B" and parts[end][1] != label)
        else:
            ended = not closes or parts[end - 1][0] in ("E", "S")
        if ended:
            spans.append(Span(index, end, label))
        index = end
    return spans


def _strict_start(prefix: str, label: str, before: tuple[str, str], style: Style) -> bool:
    if style == "io":
        return prefix == "I"
    if style == "iob1":
        if prefix == "I":
            return before[0] != "I" or before[1] != label
        return prefix == "B" and before[1] == label
    return prefix in ("B", "S")
