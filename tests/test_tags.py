"""Tag schemes: every function against seqeval or against all legal sequences of up to four tokens."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval import scheme as seqeval_scheme
from seqeval.metrics.sequence_labeling import get_entities

from onomast.errors import OnomastError
from onomast.tags import (
    STYLES,
    Orphan,
    Span,
    Style,
    TagScheme,
    convert,
    faults,
    guess_style,
    prefixes_of,
    spans_of,
    split_tag,
    tags_of,
)

FULL: tuple[Style, ...] = ("iob1", "iob2", "iobes", "bilou", "bmeso")  # IO cannot tell adjacent entities apart
TAGGERS: tuple[Style, ...] = ("iob2", "iobes", "bilou", "bmeso")
LABELS = ("A", "B")
SEQEVAL = {"iob1": "IOB1", "iob2": "IOB2", "iobes": "IOBES", "bilou": "BILOU", "bmeso": "IOBES"}
TO_IOBES = {"bilou": {"U": "S", "L": "E"}, "bmeso": {"M": "I"}}


def all_span_sets(length: int, start: int = 0) -> Iterator[tuple[Span, ...]]:
    """Every way to put entities of two labels on `length` tokens."""
    if start >= length:
        yield ()
        return
    yield from all_span_sets(length, start + 1)
    for end in range(start + 1, length + 1):
        for label in LABELS:
            for rest in all_span_sets(length, end):
                yield (Span(start, end, label), *rest)


def all_tags(style: Style) -> list[str]:
    return ["O", *(f"{prefix}-{label}" for label in LABELS for prefix in prefixes_of(style))]


def legal_sequences(style: Style, length: int) -> set[tuple[str, ...]]:
    return {tags_of(spans, length, style) for spans in all_span_sets(length)}


def renamed(tags: list[str], letters: dict[str, str]) -> list[str]:
    return [letters.get(tag[0], tag[0]) + tag[1:] if tag != "O" else tag for tag in tags]


def random_sequences(style: Style, number: int, seed: int) -> list[list[str]]:
    generator, tags = random.Random(seed), all_tags(style)
    return [generator.choices(tags, k=generator.randint(1, 12)) for _ in range(number)]


@st.composite
def entities(draw: st.DrawFn) -> tuple[list[Span], int]:
    """Spans that do not overlap, and the length of the sentence."""
    spans, end = [], 0
    for gap, length, label in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(LABELS)), max_size=6)
    ):
        spans.append(Span(end + gap, end + gap + length, label))
        end += gap + length
    return spans, end + draw(st.integers(0, 2))


@pytest.mark.parametrize("style", FULL)
@given(case=entities())
def test_spans_to_tags_and_back(style: Style, case: tuple[list[Span], int]) -> None:
    spans, length = case
    tags = tags_of(spans, length, style)
    assert spans_of(tags, style) == spans_of(tags, style, "strict") == spans
    assert faults(tags, style) == []


@pytest.mark.parametrize("style", FULL)
@given(case=entities())
def test_iob2_to_any_style_and_back(style: Style, case: tuple[list[Span], int]) -> None:
    tags = tags_of(*case)
    written = convert(tags, "iob2", style)
    assert written == tags_of(*case, style)
    assert convert(written, style, "iob2") == tags


@given(case=entities())
def test_io_keeps_tokens_and_labels(case: tuple[list[Span], int]) -> None:
    spans, length = case
    tags = tags_of(spans, length, "io")
    covered = {index: span.label for span in spans for index in range(span.start, span.end)}
    assert tags == tuple(f"I-{covered[index]}" if index in covered else "O" for index in range(length))


@pytest.mark.parametrize("style", FULL)
def test_orphans_are_read_as_seqeval_does_by_default(style: Style) -> None:
    for tags in random_sequences(style, 3000, 1):
        expected = [
            (label, start, end + 1) for label, start, end in get_entities(renamed(tags, TO_IOBES.get(style, {})))
        ]
        assert [(span.label, span.start, span.end) for span in spans_of(tags, style)] == expected, tags


@pytest.mark.parametrize("style", FULL)
def test_strict_reads_as_seqeval_strict_does(style: Style) -> None:
    letters = TO_IOBES["bmeso"] if style == "bmeso" else {}
    sequences = random_sequences(style, 3000, 2)
    tokens = [renamed(tags, letters) for tags in sequences]
    expected = seqeval_scheme.Entities(tokens, getattr(seqeval_scheme, SEQEVAL[style])).entities
    for tags, found in zip(sequences, expected, strict=True):
        spans = spans_of(tags, style, "strict")
        assert [(span.label, span.start, span.end) for span in spans] == [
            (entity.tag, entity.start, entity.end) for entity in found
        ], tags


@pytest.mark.parametrize("style", FULL)
@pytest.mark.parametrize("length", [1, 2, 3])
def test_exactly_the_illegal_sequences_have_faults(style: Style, length: int) -> None:
    legal = legal_sequences(style, length)
    for tags in itertools.product(all_tags(style), repeat=length):
        assert (faults(tags, style) == []) == (tags in legal), tags


def test_a_fault_names_the_token_and_what_is_wrong() -> None:
    assert faults(["O", "I-PER"]) == [(1, "I-PER after O")]
    assert faults(["I-PER"]) == [(0, "I-PER after the start of the sentence")]
    assert faults(["B-PER"], "iobes") == [(0, "B-PER is not closed before the end of the sentence")]
    assert faults(["B-PER", "O"], "iobes") == [(0, "B-PER is not closed before O")]


def test_a_neighbour_without_annotation_excuses_everything() -> None:
    assert faults([None, "I-PER"]) == []
    assert faults(["B-PER", None, "E-PER"], "iobes") == []


@pytest.mark.parametrize("style", FULL)
@given(cases=st.lists(entities(), min_size=1, max_size=4))
def test_the_style_of_legal_tags_is_among_the_guesses(style: Style, cases: list[tuple[list[Span], int]]) -> None:
    spans = [Span(0, 1, "A"), Span(1, 2, "A"), Span(2, 5, "A"), Span(5, 8, "A")]  # shows every letter of every style
    sequences = [tags_of(*case, style) for case in cases]
    assert guess_style([*sequences, tags_of(spans, 9, style)]) == [style]
    if any(spans for spans, _ in cases):
        guesses = guess_style(sequences)
        assert style in guesses or guesses in (["iob1"], ["iob2"]), "fewer letters may look like a smaller scheme"
        assert all(faults(tags, guesses[0]) == [] for tags in sequences)


def test_a_tie_between_styles_is_told() -> None:
    assert guess_style([["B-A", "E-A", "S-A"]]) == ["iobes", "bmeso"]


def test_ambiguous_letters_are_settled_by_custom() -> None:
    assert guess_style([["B-A", "O", "B-A"]]) == ["iob2"]
    assert guess_style([["I-A", "I-A", "O"]]) == ["iob1"]
    assert guess_style([["A", "A", "O"]]) == ["io"]
    assert guess_style([["O", "I-A", "B-A"], ["I-A"]]) == ["iob1"]
    assert guess_style([["O", None]]) == ["io"]


@pytest.mark.parametrize("style", TAGGERS)
def test_transitions_are_the_neighbours_of_all_legal_sequences(style: Style) -> None:
    scheme = TagScheme(LABELS, style)
    sequences = [tags for length in (1, 2, 3, 4) for tags in legal_sequences(style, length)]
    pairs = {pair for tags in sequences for pair in itertools.pairwise(tags)}
    for (i, before), (j, after) in itertools.product(enumerate(scheme.tags), repeat=2):
        assert scheme.transitions[i, j] == ((before, after) in pairs), (before, after)
    assert [tag for tag, may in zip(scheme.tags, scheme.starts, strict=True) if may] == [
        tag for tag in scheme.tags if tag in {tags[0] for tags in sequences}
    ]
    assert [tag for tag, may in zip(scheme.tags, scheme.ends, strict=True) if may] == [
        tag for tag in scheme.tags if tag in {tags[-1] for tags in sequences}
    ]


@pytest.mark.parametrize("style", TAGGERS)
@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_legal_means_legal_start_transitions_and_end(style: Style, length: int) -> None:
    scheme = TagScheme(LABELS, style)
    transitions, starts, ends = (each.tolist() for each in (scheme.transitions, scheme.starts, scheme.ends))
    paths = {
        tuple(scheme.tags[index] for index in path)
        for path in itertools.product(range(len(scheme.tags)), repeat=length)
        if starts[path[0]] and ends[path[-1]] and all(transitions[i][j] for i, j in itertools.pairwise(path))
    }
    assert paths == legal_sequences(style, length)


@pytest.mark.parametrize("style", TAGGERS)
@given(case=entities())
def test_encode_then_decode_gives_the_same_tags(style: Style, case: tuple[list[Span], int]) -> None:
    scheme, tags = TagScheme(LABELS, style), tags_of(*case)
    ids = scheme.encode(tags)
    assert scheme.decode(ids) == tags
    assert [scheme.tags[index] for index in ids] == list(tags_of(*case, style))


@pytest.mark.parametrize("style", TAGGERS)
@pytest.mark.parametrize("orphan", ["conlleval", "strict"])
@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_decode_is_convert_for_any_ids(style: Style, orphan: Orphan, length: int) -> None:
    scheme = TagScheme(LABELS, style)
    for ids in itertools.product(range(len(scheme.tags)), repeat=length):
        assert scheme.decode(ids, orphan) == convert([scheme.tags[index] for index in ids], style, "iob2", orphan)


def test_encode_names_an_unknown_label_and_the_nearest() -> None:
    with pytest.raises(OnomastError, match=r"label 'PERS' .* did you mean 'PER'\?"):
        TagScheme(("LOC", "PER")).encode(["B-PERS"])


@pytest.mark.parametrize("style", TAGGERS)
@given(case=entities(), seed=st.integers(0, 2**32))
def test_the_true_tag_stays_allowed_when_annotations_are_removed(
    style: Style, case: tuple[list[Span], int], seed: int
) -> None:
    scheme, tags, generator = TagScheme(LABELS, style), tags_of(*case), random.Random(seed)
    truth = scheme.encode(tags)
    partial = [None if generator.random() < 0.4 else tag for tag in tags]
    allowed = scheme.allowed(partial)
    assert all(allowed[index, tag] for index, tag in enumerate(truth))
    assert all(allowed[index].all() for index, tag in enumerate(partial) if tag is None)


@pytest.mark.parametrize("style", TAGGERS)
@pytest.mark.parametrize("length", [1, 2, 3])
def test_legal_paths_of_allowed_tags_are_the_ways_to_complete_the_annotation(style: Style, length: int) -> None:
    scheme = TagScheme(LABELS, style)
    complete = [tags_of(spans, length) for spans in all_span_sets(length)]
    paths = [scheme.encode(tags) for tags in complete]
    for tags, hidden in itertools.product(complete, itertools.product((False, True), repeat=length)):
        partial = [None if hide else tag for tag, hide in zip(tags, hidden, strict=True)]
        allowed = scheme.allowed(partial).tolist()
        for other, path in zip(complete, paths, strict=True):
            fits = all(mine is None or mine == theirs for mine, theirs in zip(partial, other, strict=True))
            assert fits == all(row[tag] for row, tag in zip(allowed, path, strict=True)), (partial, other)


@pytest.mark.parametrize("style", TAGGERS)
@pytest.mark.parametrize("unannotated", [("A",), ("B",), ("A", "B"), ("unheard of",)])
@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_what_an_annotation_without_a_label_allows_is_what_may_have_been_there(
    style: Style, unannotated: tuple[str, ...], length: int
) -> None:
    """The legal paths are those whose entities are the annotated ones and, besides, any of the left-out labels."""
    scheme = TagScheme(LABELS, style)
    complete = list(all_span_sets(length))
    paths = [scheme.encode(tags_of(spans, length)) for spans in complete]
    for annotated in complete:
        allowed = scheme.allowed(tags_of(annotated, length), unannotated).tolist()
        for other, path in zip(complete, paths, strict=True):
            more = set(other) - set(annotated)
            fits = set(annotated) <= set(other) and all(span.label in unannotated for span in more)
            assert fits == all(row[tag] for row, tag in zip(allowed, path, strict=True)), (annotated, other)


@pytest.mark.parametrize("style", TAGGERS)
@given(case=entities())
def test_full_annotation_allows_exactly_the_true_tag(style: Style, case: tuple[list[Span], int]) -> None:
    scheme, tags = TagScheme(LABELS, style), tags_of(*case)
    allowed = scheme.allowed(tags)
    assert allowed.shape == (len(tags), len(scheme.tags))
    assert (allowed.sum(1) == 1).all()
    assert allowed.argmax(1).tolist() == scheme.encode(tags)


@pytest.mark.parametrize("style", STYLES)
@given(case=entities(), seed=st.integers(0, 2**32))
def test_convert_leaves_missing_annotation_missing(style: Style, case: tuple[list[Span], int], seed: int) -> None:
    generator = random.Random(seed)
    partial = [None if generator.random() < 0.4 else tag for tag in tags_of(*case)]
    written = convert(partial, "iob2", style)
    assert [tag is None for tag in written] == [tag is None for tag in partial]
    assert [split_tag(tag)[1] for tag in written] == [split_tag(tag)[1] for tag in partial]
    if style in TAGGERS:
        assert list(convert(written, style, "iob2")) == partial


def test_after_a_missing_annotation_an_inside_tag_stays_inside() -> None:
    assert convert([None, "I-A", "I-A"], "iob2", "iobes") == (None, "I-A", "E-A")
    assert convert([None, "I-A", "O"], "iob2", "bilou") == (None, "L-A", "O")
    assert convert([None, "E-A", "O"], "iobes", "iob2") == (None, "I-A", "O")
    assert convert([None, "B-A", "I-A"], "iob2", "iobes") == (None, "B-A", "E-A")


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([Span(0, 2, "A"), Span(1, 3, "B")], "overlaps"),
        ([Span(2, 5, "A")], "does not fit a sentence of 4 tokens"),
        ([Span(2, 2, "A")], "does not fit"),
    ],
)
def test_impossible_spans_are_refused(spans: list[Span], message: str) -> None:
    with pytest.raises(OnomastError, match=message):
        tags_of(spans, 4)


def test_a_prefix_of_another_style_is_refused_with_the_choices() -> None:
    with pytest.raises(OnomastError, match=r"tag 'E-A' has no prefix of the iob2 scheme; expected O or one of B-, I-"):
        spans_of(["B-A", "E-A"])


def test_labels_may_hold_hyphens_and_tags_may_lack_prefixes() -> None:
    assert split_tag("B-EVENT-sport") == ("B", "EVENT-sport")
    assert spans_of(["PER", "PER", "O"], "io") == [Span(0, 2, "PER")]
