"""Feature templates: each against a plain reading of its description."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onomast.errors import DataError, RecipeError
from onomast.recipe import Features
from onomast.sentence import Sentence
from onomast.taggers.linear.features import FeatureExtractor, clean
from onomast.taggers.linear.gazetteers import Resources, WordList
from onomast.taggers.word_shape import shape_of

NONE = Features(word=(), prefix=0, suffix=0, shape=(), digits=False, hyphen=False, position=False)
WORDS = Sentence(("In", "Dar-es-Salaam", "2024"), pos=("ADP", "PROPN", "NUM"))


def features_of(sentence: Sentence, extractor: FeatureExtractor) -> list[set[str]]:
    """All features of each token, put together the slow way."""
    found = [set(names) for names in extractor.of_sentence(sentence)]
    for index, names in enumerate(found):
        for column, position in enumerate(extractor.window):
            place = index + position
            word = sentence.tokens[place] if 0 <= place < len(sentence) else None
            names.update(extractor.of_word(word)[column])
    return found


CASES = [
    (replace(NONE, word=(0,)), ["0|word=In", "0|word=Dar-es-Salaam", "0|word=2024"]),
    (replace(NONE, word=(2,)), ["2|word=2024", "", ""]),
    (replace(NONE, lower=(-1,)), ["", "-1|low=in", "-1|low=dar-es-salaam"]),
    (replace(NONE, shape=(0,)), ["0|shape=Xx", "0|shape=Xx-x-Xx", "0|shape=d"]),
    (replace(NONE, prefix=2, affix_window=(1,)), ["1|pre=D 1|pre=Da", "1|pre=2 1|pre=20", ""]),
    (replace(NONE, suffix=3, affix_window=(-1,)), ["", "-1|suf=n -1|suf=In", "-1|suf=m -1|suf=am -1|suf=aam"]),
    (replace(NONE, digits=True), ["", "", "0|digit 0|digits"]),
    (replace(NONE, hyphen=True), ["", "0|hyphen", ""]),
    (replace(NONE, position=True), ["-1|edge", "", "1|edge"]),
    (replace(NONE, pos=(0, 1)), ["[0]pos=ADP [1]pos=PROPN", "[0]pos=PROPN [1]pos=NUM", "[0]pos=NUM [1]pos=edge"]),
]


@pytest.mark.parametrize(("templates", "expected"), CASES)
def test_each_template_gives_its_features_and_no_other(templates: Features, expected: list[str]) -> None:
    assert features_of(WORDS, FeatureExtractor(templates)) == [set(names.split()) for names in expected]


def test_bigrams_join_what_stands_at_their_positions() -> None:
    templates = replace(NONE, bigrams=((-1, 0),), shape_bigrams=((0, 1),))
    assert features_of(WORDS, FeatureExtractor(templates)) == [
        {"[-1,0]low=edge in", "[0,1]shape=Xx Xx-x-Xx"},
        {"[-1,0]low=in dar-es-salaam", "[0,1]shape=Xx-x-Xx d"},
        {"[-1,0]low=dar-es-salaam 2024", "[0,1]shape=d edge"},
    ]


def test_position_marks_reach_as_far_as_the_window() -> None:
    found = features_of(WORDS, FeatureExtractor(replace(NONE, word=(-2, 0), position=True)))
    assert [{name for name in names if "edge" in name} for names in found] == [
        {"-2|edge", "-1|edge"},
        {"-2|edge"},
        {"1|edge"},
    ]


def test_features_of_a_word_do_not_depend_on_its_sentence() -> None:
    extractor = FeatureExtractor(Features())
    assert extractor.of_word("Kigali") == extractor.of_word("Kigali")
    assert len(extractor.of_word(None)) == len(extractor.of_word("Kigali")) == len(extractor.window)


@pytest.mark.parametrize("word", ["Kigali", "x-1", "2024", None])
def test_names_of_a_word_are_its_features_without_their_positions(word: str | None) -> None:
    extractor = FeatureExtractor(Features())
    features = {name for names in extractor.of_word(word) for name in names}
    assert {name.partition("|")[2] for name in features} == set(extractor.names_of_word(word))


def test_pos_templates_without_pos_tags_name_the_sentence() -> None:
    with pytest.raises(DataError, match=r"news\.conll:7: .*part-of-speech.*linear\.features\.pos"):
        FeatureExtractor(replace(NONE, pos=(0,))).of_sentence(Sentence(("In",), source="news.conll:7"))


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        ("Nairobi-2", "Xx-d"),
        ("USA", "XX"),
        ("U.S.", "X.X."),
        ("McDonald", "XxXx"),
        ("\u0aa8\u0ab5\u0ac0", "o"),  # Gujarati, with a vowel sign
        ("\u1014\u1031", "o"),  # Burmese
        ("\u0661\u0662", "d"),  # Arabic digits
        ("", ""),
    ],
)
def test_shape(word: str, shape: str) -> None:
    assert shape_of(word, fine=True) == shape


@given(st.text(alphabet=st.characters(codec=None), max_size=8))
def test_clean_text_is_text_that_c_can_hold(text: str) -> None:
    made = clean(text)
    assert "\0" not in made
    made.encode("utf-8")
    if "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text):
        assert made == text


def test_the_longest_entry_of_a_word_list_wins() -> None:
    found = WordList("places", ["New York", "New York City Hall", "York", "", "  Addis   Ababa "])
    tokens = ["New", "York", "City", "Hall", ",", "New", "York", ",", "York", "and", "Addis", "Ababa"]
    assert found.match(tokens) == ["B", "I", "I", "E", "", "B", "E", "", "S", "", "B", "E"]
    assert found.match(["New"]) == [""]
    assert found.match(["new", "york"]) == ["", ""]


def brute_matches(entries: set[tuple[str, ...]], tokens: tuple[str, ...]) -> list[str]:
    marks, index = [""] * len(tokens), 0
    while index < len(tokens):
        fitting = [size for size in range(len(tokens) - index, 0, -1) if tokens[index : index + size] in entries]
        size = fitting[0] if fitting else 0
        if size:
            marks[index : index + size] = ["S"] if size == 1 else ["B", *"I" * (size - 2), "E"]
        index += max(1, size)
    return marks


@given(
    st.sets(st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map(tuple), max_size=6),
    st.lists(st.sampled_from("abc"), max_size=12).map(tuple),
)
def test_word_list_matches_equal_a_search_of_all_stretches(
    entries: set[tuple[str, ...]], tokens: tuple[str, ...]
) -> None:
    assert WordList("x", [" ".join(entry) for entry in entries]).match(tokens) == brute_matches(entries, tokens)


def test_list_and_cluster_features() -> None:
    extractor = FeatureExtractor(
        replace(NONE, lists=("places",), clusters="given", cluster_window=(0,)),
        [WordList("places", ["Dar-es-Salaam"])],
        {"in": "0110100", "2024": "111"},
    )
    assert features_of(WORDS, extractor) == [
        {"0|cluster=0110100", "0|cluster=0110|4", "0|cluster=011010|6", "0|cluster=0110100|10"},
        {"list=places", "list=places|S"},
        {"0|cluster=111", "0|cluster=111|4", "0|cluster=111|6", "0|cluster=111|10"},
    ]


def test_files_of_lists_and_clusters_are_read(tmp_path: Path) -> None:
    places, clusters = tmp_path / "places.txt", tmp_path / "bits.tsv"
    places.write_text("\ufeffAddis Ababa\r\nKigali\n", encoding="utf-8")
    clusters.write_text("in\t0110\r\n\non\t0111\n", encoding="utf-8")
    resources = Resources.read(replace(NONE, lists=(str(places),), clusters=str(clusters)))
    assert resources.word_lists()[0].match(["Addis", "Ababa", "Kigali"]) == ["B", "E", "S"]
    assert resources.cluster_of() == {"in": "0110", "on": "0111"}
    assert resources.files() == {"lists/places.txt": places.read_bytes(), "clusters.tsv": clusters.read_bytes()}


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"in 0110\n", "line 1 .*a tab"), (b"in\t\n", "line 1 "), (b"a\t1\n\xff\t2\n", "byte 4 is not UTF-8")],
)
def test_a_faulty_cluster_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bits.tsv"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=message):
        Resources.read(replace(NONE, clusters=str(path))).cluster_of()


def test_a_missing_or_repeated_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"linear\.features\.lists: nowhere\.txt: .*expected the path"):
        Resources.read(replace(NONE, lists=("nowhere.txt",)))
    (tmp_path / "a").mkdir()
    for path in (tmp_path / "names.txt", tmp_path / "a" / "names.txt"):
        path.write_text("Juma\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="two files are called 'names'"):
        Resources.read(replace(NONE, lists=(str(tmp_path / "names.txt"), str(tmp_path / "a" / "names.txt"))))


def test_the_coarse_shape_keeps_marks_and_shrinks_capitals() -> None:
    assert shape_of("USA-2026", fine=False) == "X-d"
    assert shape_of("\u1014\u1031", fine=False) == "l\u1031"
    assert len(shape_of("-+" * 30, fine=False)) == 20
