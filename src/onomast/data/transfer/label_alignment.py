"""Different label sets, one model: the training sentences of sources in the label set of the target.

What a source does not annotate is unknown there, never `O`. `Corpus.relabel` only renames.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from onomast.corpus import Corpus
from onomast.errors import DataError, OnomastError, nearest
from onomast.sentence import Sentence
from onomast.tags import OUTSIDE, Tag, split_tag

_CLEAR = 0.5  # what a proposed pair of labels has to score at least
_STRAY = 0.01  # labels with less than this share of all mentions are slips of the pen


@dataclass(frozen=True)
class Aligned:
    """A target with its sources in its label set, and what was done."""

    corpus: Corpus
    notes: tuple[str, ...]
    """One line for each source: renamed labels, labels it does not annotate, tokens that are not annotated now."""


def align(target: Corpus, sources: Sequence[Corpus], mapping: Mapping[str, str] | None = None) -> Aligned:
    """Put the training sentences of sources into the target's label set, and the sources into `Corpus.sources`.

    `mapping` renames the labels of every source that has them; `""` as the new name: those entities are not annotated.
    Entities of a label that the target does not have, renamed or not, are not annotated either (`None`, not `O`).
    Labels of the target that a source never annotates are the `unannotated` ones of its sentences. Where the target's
    training sentences hold no entity, the label set is that of all sources together.

    Raises DataError for a mapping of labels that no source has, a source without any annotation, and one that has no
    label in common with the target: that one proposes a mapping.
    """
    mapping = dict(mapping or {})
    _require_labels(sources, mapping)
    renamed = {label: mapping.get(label, label) for source in sources for label in source.labels}
    labels = set(_entity_labels(target)) or set(renamed.values()) - {""}
    aligned, notes = [], []
    for source in sources:
        if not source.labels and not source.pos_labels and not source.sentence_labels:
            raise DataError("no sentence carries a label; nothing can be learnt from it", path=source.name)
        if source.labels and not labels & {renamed[label] for label in source.labels}:
            raise DataError(_nothing_in_common(target, source, mapping), path=source.name)
        missing = labels - {renamed[label] for label in source.labels}
        train = tuple(_aligned(sentence, renamed, labels, missing) for sentence in source.train)
        aligned.append(replace(source, train=train))
        notes.append(_note(source, renamed, labels))
    return Aligned(replace(target, sources=tuple(aligned)), tuple(notes))


def propose(target: Corpus, source: Corpus) -> dict[str, str]:
    """Source label -> the target's label that it most likely is; labels without a clear counterpart are left out.

    A pair scores the similarity of the names, in [0, 1], plus the evidence of the data, in [0, 1): with n mentions
    written alike, n / (n of this source label and any target label + 1) times n / (n of this target label and any
    source label + 1). Names are alike by the letters they begin with, after what the labels of a side have in common
    (`NE` of NEP, NEL, NEO). The best pairs are taken first; no label twice.
    """
    ours, theirs = _mentions(target), _mentions(source)
    our_stems, their_stems = _stems(ours), _stems(theirs)
    shared = {(old, new): len(theirs[old] & ours[new]) for old in theirs for new in ours}
    of_old: Counter[str] = Counter()
    of_new: Counter[str] = Counter()
    for (old, new), number in shared.items():
        of_old[old] += number
        of_new[new] += number
    scores = {
        (old, new): _name_similarity(their_stems[old], our_stems[new])
        + number**2 / ((of_old[old] + 1) * (of_new[new] + 1))
        for (old, new), number in shared.items()
    }
    pairs: dict[str, str] = {}
    for old, new in sorted(scores, key=lambda pair: (-scores[pair], pair)):
        if scores[old, new] >= _CLEAR and old not in pairs and new not in pairs.values():
            pairs[old] = new
    return dict(sorted(pairs.items()))


def parse_relabel(text: str) -> dict[str, str]:
    """`"NEP=PER,NEL=LOC"` -> `{"NEP": "PER", "NEL": "LOC"}`; `NEN=` maps to `""`. Raises OnomastError."""
    mapping: dict[str, str] = {}
    for item in filter(None, map(str.strip, text.split(","))):
        old, equals, new = (part.strip() for part in item.partition("="))
        if not equals or not old:
            raise OnomastError(f"--relabel {item}: expected OLD=NEW, such as NEP=PER, or OLD= for not annotated")
        if new == OUTSIDE:
            raise OnomastError(
                f"--relabel {item}: O is no label, and what a source calls {old} must not be taken for nothing; "
                f"write {old}= to have it not annotated"
            )
        for name in (old, new):
            if name[:2] in ("B-", "I-"):
                raise OnomastError(f"--relabel {item}: {name} is a tag; expected a label, such as {name[2:]}")
        if mapping.setdefault(old, new) != new:
            raise OnomastError(f"--relabel: {old} is given two names, {mapping[old]!r} and {new!r}; keep one of them")
    return mapping


def _entity_labels(target: Corpus) -> tuple[str, ...]:
    """Labels of the target's own training sentences."""
    return replace(target, sources=()).labels


def _require_labels(sources: Sequence[Corpus], mapping: Mapping[str, str]) -> None:
    known = {label for source in sources for label in source.labels}
    for label in mapping:
        if label not in known:
            where = sources[0].name if len(sources) == 1 else f"{len(sources)} sources"
            raise DataError(f"label {label!r} to rename does not occur; {nearest(label, known)}", path=where)


def _aligned(sentence: Sentence, renamed: Mapping[str, str], labels: set[str], missing: set[str]) -> Sentence:
    def rename(tag: Tag) -> Tag:
        prefix, label = split_tag(tag)
        if tag is None or not label:
            return tag
        return f"{prefix}-{renamed[label]}" if renamed[label] in labels else None

    left_out = {renamed.get(label, label) for label in sentence.unannotated} & labels
    tags = None if sentence.tags is None else tuple(map(rename, sentence.tags))
    return replace(sentence, tags=tags, unannotated=tuple(sorted(left_out | missing)))


def _note(source: Corpus, renamed: Mapping[str, str], labels: set[str]) -> str:
    """What was done to a source, in one line."""
    counts = Counter(split_tag(tag)[1] for sentence in source.train for tag in sentence.tags or ())
    moved = [f"{label}={renamed[label]}" for label in source.labels if renamed[label] not in ("", label)]
    dropped = [label for label in source.labels if renamed[label] not in labels]
    missing = sorted(labels - {renamed[label] for label in source.labels})
    parts = [f"renamed {', '.join(moved)}"] if moved else []
    if missing:
        parts.append(f"{', '.join(missing)} not annotated, so its O may be one of them")
    if dropped:
        tokens = sum(counts[label] for label in dropped)
        parts.append(
            f"{tokens:,} tokens of {', '.join(dropped)} count as not annotated; --relabel OLD=NEW makes use of them"
        )
    return f"{source.name}: {'; '.join(parts) or 'the same labels'}"


def _nothing_in_common(target: Corpus, source: Corpus, mapping: Mapping[str, str]) -> str:
    shown = ", ".join(f"{old}={new}" for old, new in mapping.items() if old in source.labels)
    found = f"its labels ({', '.join(source.labels)})" + (f", renamed by {shown}," if shown else "")
    proposed = ",".join(f"{old}={new}" for old, new in propose(target, source).items())
    advice = f"try --relabel {proposed}" if proposed else "say which are the same with --relabel THEIRS=OURS,..."
    ours = ", ".join(_entity_labels(target))
    return f"{found} and those of {target.name} ({ours}) have none in common; expected one at least; {advice}"


def _mentions(corpus: Corpus) -> dict[str, set[str]]:
    """Label -> its entities as they are written, without regard to case."""
    found: dict[str, set[str]] = {label: set() for label in _entity_labels(corpus)}
    for sentence in corpus.train:
        for span in sentence.spans:
            found[span.label].add(" ".join(sentence.tokens[span.start : span.end]).casefold())
    return found


def _stems(mentions: Mapping[str, set[str]]) -> dict[str, str]:
    """Label -> its name in capitals, less what all labels begin with; strays of few mentions have no say in that."""
    most = sum(map(len, mentions.values()))
    usual = [label.upper() for label, found in mentions.items() if len(found) > _STRAY * most]
    common = _common_start(*usual) if len(usual) > 1 and "" not in usual else ""
    if common in usual:
        common = ""
    return {label: label.upper().removeprefix(common) for label in mentions}


def _name_similarity(one: str, other: str) -> float:
    """Letters that both names begin with, as a share of the shorter one."""
    return len(_common_start(one, other)) / max(1, min(len(one), len(other)))


def _common_start(*names: str) -> str:
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in alike)
