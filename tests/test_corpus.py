from __future__ import annotations

import pytest

from onomast.corpus import Corpus
from onomast.errors import DataError
from onomast.sentence import Sentence, Span

SENTENCES = tuple(Sentence((f"w{i}", "x"), ("B-PER" if i % 2 else "O", "O"), language="aa") for i in range(20))
CORPUS = Corpus("made-up", SENTENCES, dev=SENTENCES[:2], test=SENTENCES[2:4])


def test_budgets_are_nested_and_leave_no_dev() -> None:
    small, large = CORPUS.sample(5, seed=3), CORPUS.sample(12, seed=3)
    assert large.train[:5] == small.train
    assert small.dev == () and small.test == CORPUS.test
    assert CORPUS.sample(20, seed=3).train != SENTENCES
    assert set(CORPUS.sample(20, seed=3).train) == set(SENTENCES)
    assert CORPUS.sample(12, seed=4).train != large.train


@pytest.mark.parametrize("budget", [0, 21])
def test_impossible_budget_is_refused(budget: int) -> None:
    with pytest.raises(DataError, match="20 training sentences"):
        CORPUS.sample(budget)


def test_split_moves_sentences_without_losing_any() -> None:
    parts = Corpus("x", SENTENCES).split(0.25, seed=1)
    assert len(parts.dev) == 5
    assert set(parts.dev) | set(parts.train) == set(SENTENCES)
    assert not set(parts.dev) & set(parts.train)


def test_relabel_renames_and_drops() -> None:
    renamed = CORPUS.relabel({"PER": "NEP"})
    assert renamed.labels == ("NEP",)
    assert CORPUS.relabel({"PER": "O"}).labels == ()
    assert CORPUS.labels == ("PER",)
    with pytest.raises(DataError, match="'PRE'"):
        CORPUS.relabel({"PRE": "LOC"})


def test_join_keeps_own_dev_and_test() -> None:
    other = Corpus("y", (Sentence(("z",), ("B-LOC",), language="bb"),), dev=SENTENCES)
    joined = CORPUS.join(other)
    assert len(joined.train) == 21
    assert joined.dev == CORPUS.dev
    assert joined.languages == ("aa", "bb")
    assert joined.labels == ("LOC", "PER")


def test_sentence_refuses_fields_of_another_length() -> None:
    with pytest.raises(DataError, match="2 tokens has 1 tags"):
        Sentence(("a", "b"), ("O",), source="file.txt:3")


def test_span_text_is_the_original_text() -> None:
    text = "Dar  es\u00a0Salaam ni kubwa"
    sentence = Sentence(
        ("Dar", "es", "Salaam"),
        ("B-LOC", "I-LOC", "I-LOC"),
        offsets=((10, 13), (15, 17), (18, 24)),
        text=text,
        text_start=10,
    )
    assert sentence.spans == [Span(0, 3, "LOC")]
    assert sentence.span_text(sentence.spans[0]) == "Dar  es\u00a0Salaam"


def test_bare_removes_gold_and_keeps_inputs() -> None:
    sentence = Sentence(("a",), ("B-X",), pos=("NOUN",), label="news", confidence=(0.5,), language="aa")
    bare = sentence.bare()
    assert (bare.tags, bare.label, bare.confidence) == (None, None, None)
    assert (bare.tokens, bare.pos, bare.language) == (("a",), ("NOUN",), "aa")
    assert sentence.tags == ("B-X",)
