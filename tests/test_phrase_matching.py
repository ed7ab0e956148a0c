"""The dictionary matcher against a definition by enumeration."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from onomast.data.phrase_matching import lengths_of, longest_matches

WORDS = st.sampled_from("ab")


@given(tokens=st.lists(WORDS, max_size=8), phrases=st.sets(st.lists(WORDS, min_size=1, max_size=3).map(tuple)))
def test_each_match_is_the_longest_that_begins_at_the_first_free_token(
    tokens: list[str], phrases: set[tuple[str, ...]]
) -> None:
    matches = list(longest_matches(tokens, phrases, lengths_of(phrases)))
    free = 0
    for start, end in matches:
        for skipped in range(free, start):  # nothing begins where the matcher passed by
            assert not any(tuple(tokens[skipped:stop]) in phrases for stop in range(skipped + 1, len(tokens) + 1))
        assert tuple(tokens[start:end]) in phrases
        assert not any(tuple(tokens[start:stop]) in phrases for stop in range(end + 1, len(tokens) + 1))
        free = end
    for skipped in range(free, len(tokens)):
        assert not any(tuple(tokens[skipped:stop]) in phrases for stop in range(skipped + 1, len(tokens) + 1))


def test_no_phrase_matches_nothing() -> None:
    assert list(longest_matches(["a"], set(), lengths_of([]))) == []
    assert lengths_of([(), ("a",), ("a", "b"), ("b",)]) == [2, 1]
