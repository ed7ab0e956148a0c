"""Ranking sources before training: hand-computed features, properties of the order, the command line."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Onomast
from onomast import Corpus, DataError, Sentence, read
from onomast.data.transfer.ranking import WEIGHTS, choose, rank, to_json
from onomast.data.transfer.similarity import FEATURES, features_of, profile_of


def sentence(text: str, language: str | None = None) -> Sentence:
    """`Asha/B-PER alienda Dodoma/B-LOC` -> a sentence."""
    pairs = [token.partition("/") for token in text.split()]
    return Sentence(tuple(token for token, _, _ in pairs), tuple(tag or "O" for _, _, tag in pairs), language=language)


def corpus(name: str, *texts: str, language: str | None = None) -> Corpus:
    return Corpus(name, tuple(sentence(text, language) for text in texts))


TARGET = corpus(
    "target",
    "Asha/B-PER Juma/I-PER alienda Dodoma/B-LOC .",
    "mji wa Dodoma/B-LOC ulifurahi 2020/B-DATE",
)
SOURCE = corpus(
    "source",
    "asha/B-PER juma/I-PER aliona mji wa dodoma/B-ORG",
    "Kigali/B-LOC wa Dodoma/B-LOC",
)


def features(target: Corpus, source: Corpus) -> dict[str, float]:
    return features_of(profile_of(target.train), profile_of(source.train))


def test_features_are_those_counted_by_hand() -> None:
    found = features(TARGET, SOURCE)
    # Entities of the target: asha juma PER, dodoma LOC twice, 2020 DATE; the source lacks the last alone.
    assert found["entities"] == pytest.approx(3 / 4)
    # Words of its entities (2020 has no letter): asha, juma, dodoma twice; all known.
    assert found["names"] == 1.0
    # Words with a label that both have: asha and juma are always PER, dodoma (twice) is LOC in one of two; without one,
    # mji and wa: they never have a label there.
    assert found["agreement"] == pytest.approx(((1 + 1 + 2 * 1 / 2) / 4 + 1) / 2)
    # Words before an entity: alienda (LOC), wa (LOC), ulifurahi (DATE); the source has wa before LOC.
    assert found["contexts"] == pytest.approx(1 / 3)
    # Words: asha juma alienda dodoma mji wa dodoma ulifurahi; not known: alienda, ulifurahi.
    assert found["words"] == pytest.approx(6 / 8)
    assert found["types"] == pytest.approx(5 / 7)
    assert found["labels"] == pytest.approx(3 / 4)
    # Shares of labels: PER 1/4, LOC 2/4, DATE 1/4 against PER 1/4, ORG 1/4, LOC 2/4.
    assert found["mix"] == pytest.approx(1 / 4 + 2 / 4)
    assert found["scripts"] == 1.0
    assert found["size"] == pytest.approx(9 / (9 + 10))
    assert found["length"] == pytest.approx((9 / 2) / (10 / 2))
    # Entity tokens: 5 of 10 against 5 of 9.
    assert found["density"] == pytest.approx((5 / 10) / (5 / 9))
    # Capitals after the first word: Juma, Dodoma, Dodoma of 6 (alienda, wa, ulifurahi are not) against Dodoma of 7.
    assert found["capitals"] == pytest.approx((1 / 7) / (3 / 6))
    # Among words of entities: Juma, Dodoma, Dodoma of 3 against Dodoma of juma, dodoma, Dodoma.
    assert found["name_capitals"] == pytest.approx((1 / 3) / (3 / 3))


def test_letter_sequences_are_compared_by_their_shares() -> None:
    # <ab> has <a ab b> <ab ab> <ab>; <ac> has <a ac c> <ac ac> <ac>: one of six in common.
    first, second = corpus("first", "ab/B-X"), corpus("second", "ac/B-X")
    assert features(first, second)["ngrams"] == pytest.approx(1 / 6)
    assert features(first, second)["name_ngrams"] == pytest.approx(1 / 6)
    assert features(first, corpus("other label", "ab/B-Y"))["name_ngrams"] == 0.0
    assert features(first, corpus("three times", "ab/B-X ab ab"))["ngrams"] == 1.0


def test_scripts_are_shares_of_letters() -> None:
    mixed = corpus("mixed", "ab/B-X клмн оп")  # 2 of 8 letters Latin
    assert features(corpus("latin", "kl/B-X 12"), mixed)["scripts"] == pytest.approx(2 / 8)
    assert features(corpus("han", "東京/B-X"), mixed)["scripts"] == 0.0


def test_accents_in_two_encodings_are_one() -> None:
    composed, decomposed = corpus("composed", "\u00e9t\u00e9/B-X"), corpus("decomposed", "e\u0301te\u0301/B-X")
    assert features(composed, decomposed)["entities"] == 1.0
    assert features(composed, decomposed)["ngrams"] == 1.0


def test_a_corpus_is_alike_to_itself() -> None:
    found = features(TARGET, TARGET)
    assert found.pop("size") == 0.5
    assert set(found.values()) == {1.0}


# Made-up languages: words of their own letters, a tenth of them names.


def language(name: str, letters: str, size: int = 60, names: tuple[str, ...] = ()) -> Corpus:
    draw = random.Random(name)
    words = ["".join(draw.choices(letters, k=draw.randint(2, 6))) for _ in range(80)]
    people = [word.capitalize() for word in words[:8]] + list(names)
    texts = []
    for _ in range(size):
        tokens = draw.choices(words, k=draw.randint(3, 9))
        tokens[draw.randrange(len(tokens))] = draw.choice(people) + "/B-PER"
        texts.append(" ".join(tokens))
    return corpus(name, *texts)


LATIN = language("latin", "abcdefghijk")
OTHERS = [
    language("latin-2", "ghijklmnopq"),
    language("cyrillic", "абвгдежзик"),
    language("ethiopic", "ሀለሐመሠረሰ"),
    language("devanagari", "कखगघचछज"),
]


def test_the_targets_own_language_comes_first_and_scripts_decide_among_strangers() -> None:
    target = replace(LATIN.sample(10), name="target")
    ranking = rank(target, [*OTHERS, LATIN])
    assert [ranked.name for ranked in ranking][:2] == ["latin", "latin-2"]
    assert [ranked.rank for ranked in ranking] == [1, 2, 3, 4, 5]
    assert ranking[0].features["scripts"] == 1.0 and ranking[-1].features["scripts"] == 0.0


def test_another_script_lowers_the_score() -> None:
    table = str.maketrans("abcdefghijk", "абвгдежзикл")
    converted = Corpus(
        "converted",
        tuple(
            replace(one, tokens=tuple(token.lower().translate(table) for token in one.tokens)) for one in LATIN.train
        ),
    )
    scores = {ranked.name: ranked.score for ranked in rank(LATIN.sample(10), [LATIN, converted])}
    assert scores["converted"] < scores["latin"]


def test_other_labels_lower_the_score() -> None:
    renamed = replace(LATIN.relabel({"PER": "LOC"}), name="renamed")
    best, last = rank(LATIN.sample(10), [renamed, LATIN])
    assert (best.name, last.name) == ("latin", "renamed")
    assert any("no PER" in warning for warning in last.warnings) and not best.warnings


@settings(max_examples=20, deadline=None)
@given(st.permutations([LATIN, *OTHERS]))
def test_the_order_of_the_arguments_does_not_matter(sources: list[Corpus]) -> None:
    target = LATIN.sample(10)
    assert rank(target, sources) == rank(target, [LATIN, *OTHERS])
    assert choose(target, sources, 2) == choose(target, [LATIN, *OTHERS], 2)


WORDS = st.text(alphabet="abAB12é .ሀक-", min_size=1, max_size=4)
TAGS = st.sampled_from(["O", "B-PER", "B-LOC"])
SENTENCES = st.lists(
    st.lists(st.tuples(WORDS, TAGS), min_size=1, max_size=6).map(
        lambda pairs: Sentence(tuple(word for word, _ in pairs), tuple(tag for _, tag in pairs))
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=100, deadline=None)
@given(SENTENCES, SENTENCES)
def test_features_and_scores_stay_between_0_and_1(target: list[Sentence], source: list[Sentence]) -> None:
    learned = Corpus("source", (*source, sentence("x/B-PER")))
    (ranked,) = rank(Corpus("target", tuple(target)), [learned])
    assert all(0 <= value <= 1 for value in ranked.features.values())
    assert 0 <= ranked.score <= 1 + 1e-12
    assert ranked.score == pytest.approx(sum(ranked.contributions.values()))


def test_a_target_without_labels_is_compared_by_its_words() -> None:
    bare = Corpus("target", tuple(one.bare() for one in LATIN.sample(10).train))
    ranking = rank(bare, [*OTHERS, LATIN])
    assert ranking[0].name == "latin"
    labelled = {name for name, feature in FEATURES.items() if feature.is_labelled}
    assert not labelled & set(ranking[0].features)
    assert set(ranking[0].features) == set(FEATURES) - labelled
    assert not any(ranked.warnings for ranked in ranking)


def test_choose_gives_the_best_or_all() -> None:
    target = LATIN.sample(10)
    chosen = choose(target, [*OTHERS, LATIN], 2)
    assert [source.name for source in chosen] == ["latin", "latin-2"]
    assert chosen[0] is LATIN
    assert choose(target, [*OTHERS, LATIN], 0) == choose(target, [*OTHERS, LATIN], 9) == (*OTHERS, LATIN)


def test_the_explanation_names_what_sets_a_source_apart() -> None:
    target = LATIN.sample(10)
    ranking = rank(target, [*OTHERS, LATIN])
    value = ranking[0].features["entities"]
    assert f"{100 * value:.0f} % of the entity strings (mean " in ranking[0].explanation
    (alone,) = rank(target, [LATIN])
    assert "mean" not in alone.explanation and "%" in alone.explanation


def test_the_targets_own_language_draws_a_warning_only() -> None:
    target, same = corpus("t", "Asha/B-PER", language="swa"), corpus("s", "Asha/B-PER", language="swa")
    (ranked,) = rank(target, [same])
    assert ranked.warnings == ("s is of the target's own language (swa)",)


def test_what_cannot_be_ranked_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="nothing: the target has no sentence"):
        rank(Corpus("nothing", ()), [LATIN])
    with pytest.raises(DataError, match="bare: no sentence carries an entity label"):
        rank(LATIN, [Corpus("bare", (Sentence(("a",)),))])


def test_every_feature_has_a_weight_and_words() -> None:
    assert set(WEIGHTS) == set(FEATURES)
    assert all(weight >= 0 for weight in WEIGHTS.values())
    assert all(feature.words.count("{}") == 1 for feature in FEATURES.values())
    figures = to_json(LATIN, rank(LATIN, OTHERS))
    assert json.loads(json.dumps(figures)) == figures
    assert [source["rank"] for source in figures["sources"]] == [1, 2, 3, 4]


# The command line.

SWAHILI, ENGLISH, INDONESIAN = (
    f"sample:{name}/train" for name in ("swahili-news", "english-news", "indonesian-titles")
)


def test_transfer_rank_writes_json(onomast: Onomast) -> None:
    result = onomast("transfer", "rank", SWAHILI, ENGLISH, SWAHILI, "--budget", "50", "--json", "-")
    assert result.status == 0
    figures = json.loads(result.out)
    assert [source["name"] for source in figures["sources"]] == [SWAHILI, ENGLISH]
    assert figures["target"]["sentences"] == 50
    assert figures["sources"][0]["features"]["entities"] == 1.0
    assert "own language (swa)" in result.err


def test_transfer_rank_prints_the_best_first(onomast: Onomast) -> None:
    result = onomast("transfer", "rank", SWAHILI, ENGLISH, INDONESIAN, "--limit", "1")
    assert result.status == 0
    assert "shares" in result.out and "1 more" in result.err
    assert (ENGLISH in result.out.replace("\n", "")) != (INDONESIAN in result.out.replace("\n", ""))


def test_transfer_rank_takes_raw_text(onomast: Onomast, tmp_path: Path) -> None:
    path = tmp_path / "raw.txt"
    path.write_text("The president of Kenya said that he would return.\nIt was the first visit.\n", encoding="utf-8")
    result = onomast("transfer", "rank", path, SWAHILI, ENGLISH, "--text", "--json", "-")
    assert result.status == 0
    figures = json.loads(result.out)
    assert figures["sources"][0]["name"] == ENGLISH and "entities" not in figures["sources"][0]["features"]
    refused = onomast("transfer", "rank", path, SWAHILI)
    assert refused.status == 1 and "no column holds entity tags" in refused.err


@pytest.mark.corpus
def test_ethiopic_script_ranks_last_for_swahili(corpora: Path) -> None:
    def part(folder: str, name: str) -> Corpus:
        return Corpus(name, tuple(read(corpora / folder / name / "train.txt")[:600]))

    target = part("masakhaner2", "swa").sample(100)
    names = [("masakhaner2", "hau"), ("masakhaner1", "amh"), ("masakhaner2", "zul"), ("masakhaner2", "nya")]
    ranking = rank(target, [part(*name) for name in names])
    assert ranking[-1].name == "amh"
    assert ranking[-1].features["scripts"] < 0.1
