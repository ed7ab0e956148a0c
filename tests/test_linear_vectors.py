"""Word vectors as features of the linear tagger, against CRFsuite itself and against plain loops."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pycrfsuite
import pytest

from onomast.apps.train import TrainingOptions
from onomast.apps.train import train as train_tagger
from onomast.corpus import Corpus
from onomast.errors import DataError, ModelError, OnomastError, RecipeError
from onomast.recipe import Features, Linear, Recipe, read_recipe
from onomast.sentence import Sentence
from onomast.taggers.linear import tagger as linear_module
from onomast.taggers.linear.crfsuite import read_model, train
from onomast.taggers.linear.emissions import TokenScores
from onomast.taggers.linear.features import FeatureExtractor
from onomast.taggers.linear.tagger import LinearTagger
from onomast.taggers.linear.vector_features import NamedValues, VectorFeatures, learn_vector_features
from onomast.taggers.linear.viterbi import ViterbiDecoder
from onomast.taggers.registry import load_tagger
from onomast.tags import TagScheme
from onomast.vectors.files import open_vectors

WIDTH = 6
PEOPLE, PLACES = ["Asha", "Bruno", "Chipo", "Dawit"], ["Oslo", "Lima", "Quito", "Accra"]
PLAIN = ["went", "to", "saw", "and", "the", "river", ",", "in", "2019", "."]
UNSEEN_PEOPLE, UNSEEN_PLACES = ["Zuri", "Imani"], ["Harare", "Maseru"]
NOTHING = Features(word=(), prefix=0, suffix=0, shape=(), digits=False, hyphen=False, position=False)
SURFACE = Features(lower=(0,), bigrams=((-1, 0),))
ALL_VECTORS = {"vector_clusters": (2, 5), "vector_binary": (0, 1), "vector_dense": (-1, 0)}


def sentences(people: list[str], places: list[str], number: int, seed: int) -> tuple[Sentence, ...]:
    """Made-up sentences in which only the word itself tells whether it is a person or a place."""
    random = np.random.default_rng(seed)
    kinds = {"PER": people, "LOC": places, "": PLAIN}
    made = []
    for _ in range(number):
        drawn = [str(random.choice(list(kinds), p=[0.2, 0.2, 0.6])) for _ in range(int(random.integers(1, 9)))]
        tokens = tuple(str(random.choice(kinds[kind])) for kind in drawn)
        made.append(Sentence(tokens, tuple(f"B-{kind}" if kind else "O" for kind in drawn)))
    return tuple(made)


TRAIN = sentences(PEOPLE, PLACES, 60, seed=0)
UNSEEN = sentences(UNSEEN_PEOPLE, UNSEEN_PLACES, 20, seed=1)


@pytest.fixture(scope="module")
def vectors_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Words of one kind have vectors of like direction; `2019` has none; some words occur only here."""
    random = np.random.default_rng(7)
    lines = []
    for kind, words in enumerate([[*PEOPLE, *UNSEEN_PEOPLE], [*PLACES, *UNSEEN_PLACES], PLAIN]):
        for word in words:
            row = random.normal(scale=0.2, size=WIDTH)
            row[kind] += 2.0
            row[kind + 3] -= 2.0
            if word != "2019":
                lines.append(" ".join([word, *(f"{value:.4f}" for value in row)]))
    path = tmp_path_factory.mktemp("vectors") / "tiny.vec"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def recipe(features: Features, **fields: object) -> Recipe:
    linear = replace(Linear(features=features, c1=0.0, c2=0.01), **fields)  # type: ignore[arg-type]
    return Recipe("test", "linear", scheme="iob2", linear=linear)


def fitted(features: Features) -> LinearTagger:
    tagger = LinearTagger(recipe(features))
    tagger.fit(Corpus("made up", TRAIN))
    return tagger


def words_of(given: tuple[Sentence, ...]) -> list[str]:
    return list(dict.fromkeys(token for sentence in given for token in sentence.tokens))


def learnt(templates: Features) -> VectorFeatures:
    found = learn_vector_features(templates, words_of(TRAIN), 0)
    assert found is not None
    return found


# Against CRFsuite, and against plain loops


@pytest.mark.parametrize("surface", [SURFACE, NOTHING])
@pytest.mark.parametrize(
    "wanted",
    [
        {"vector_dense": (0,)},
        {"vector_dense": (-2, 0, 1)},
        {"vector_binary": (-1, 0)},
        {"vector_clusters": (3,)},
        ALL_VECTORS,
    ],
)
def test_scores_paths_and_marginals_equal_crfsuite(
    vectors_file: Path, surface: Features, wanted: dict[str, tuple[int, ...]]
) -> None:
    """The same sums another way: CRFsuite's Viterbi path and marginals, with no transition forbidden."""
    templates = replace(surface, vectors=str(vectors_file), **wanted)  # type: ignore[arg-type]
    extractor = FeatureExtractor(templates, vectors=learnt(templates))
    scheme = TagScheme(("LOC", "PER"), "iob2")
    data, _ = train(linear_module._instances(TRAIN, scheme, extractor), recipe(templates).linear, seed=1)
    weights = read_model(data)
    count = len(weights.tags)
    free = ViterbiDecoder(weights.transitions, *(np.ones(shape, bool) for shape in ((count, count), count, count)))
    tagger = pycrfsuite.Tagger()
    tagger.open_inmemory(data)
    scores = TokenScores(weights, extractor)
    for one, (features, _) in zip(UNSEEN, linear_module._instances(UNSEEN, scheme, extractor), strict=True):
        tagger.set(pycrfsuite.ItemSequence(features))
        path, sure = free.decode(scores([one])[:, None, :], np.array([len(one)]))
        tags = [weights.tags[index] for index in path[:, 0]]
        expected = [tagger.marginal(tag, place) for place, tag in enumerate(tags)]
        assert tagger.probability(tags) == pytest.approx(tagger.probability(tagger.tag()), rel=1e-9)
        assert sure[:, 0] == pytest.approx(expected, abs=1e-8)


def test_features_equal_the_plain_loop(vectors_file: Path) -> None:
    templates = replace(NOTHING, vectors=str(vectors_file), cluster_window=(0,), **ALL_VECTORS)  # type: ignore[arg-type]
    features = learnt(templates)
    tokens = ("Asha", "saw", "2019", "Oslo")
    table, kinds = open_vectors(vectors_file).rows(words_of(TRAIN))
    table = table[kinds > 0].astype(np.float16).astype(np.float32)
    high = [np.mean([row[d] for row in table if row[d] > 0]) for d in range(WIDTH)]
    low = [np.mean([row[d] for row in table if row[d] < 0]) for d in range(WIDTH)]
    rows, _ = open_vectors(vectors_file).rows(tokens)
    rows = rows.astype(np.float16).astype(np.float32)
    named = NamedValues(features, tokens)
    for place in range(len(tokens)):
        expected: dict[str, float] = {}
        for position in (-1, 0, 1):
            if not 0 <= place + position < len(tokens) or not rows[place + position].any():
                continue
            row = rows[place + position]
            for d, value in enumerate(row.tolist()):
                sign = "+" if value > 0 else "-"
                if position in (-1, 0) and value:
                    expected[f"{position}|value {d}{sign}"] = abs(value) / float(table.std())
                if position in (0, 1) and (value >= high[d] or value <= low[d]):
                    expected[f"{position}|mark {d}{sign}"] = 1.0
            for number, found in features.clusters.items():
                if position == 0:
                    expected[f"0|cluster{number}={int((found.centroids @ row).argmax())}"] = 1.0
        assert named.of_token(tokens, place) == pytest.approx(expected, rel=1e-5)


def test_crfsuite_keeps_every_value_though_it_drops_features_whose_sum_is_negative(vectors_file: Path) -> None:
    data, _ = train([([{"sum below 0": -2.0}, {"sum below 0": 1.0}], ["A", "A"])], Linear(c1=0.0), seed=0)
    assert "sum below 0" not in read_model(data).rows
    tagger = fitted(replace(NOTHING, vectors=str(vectors_file), vector_dense=(0,)))
    rows = read_model(tagger._fitted().data).rows
    values = NamedValues(learnt(tagger.recipe.linear.features), words_of(TRAIN))
    expected = {name for word in words_of(TRAIN) for name in values.of_token((word,), 0)}
    assert expected == {name for name in rows if "value" in name}


# What they are for


@pytest.mark.parametrize("wanted", [{"vector_dense": (0,)}, {"vector_binary": (0,)}, {"vector_clusters": (3,)}])
def test_words_that_training_never_showed_are_tagged_by_their_vectors(
    vectors_file: Path, wanted: dict[str, tuple[int, ...]]
) -> None:
    tagger = fitted(replace(NOTHING, vectors=str(vectors_file), **wanted))  # type: ignore[arg-type]
    right = [made.tags == gold.tags for made, gold in zip(tagger.tag(UNSEEN), UNSEEN, strict=True)]
    blind = [made.tags == gold.tags for made, gold in zip(fitted(SURFACE).tag(UNSEEN), UNSEEN, strict=True)]
    assert sum(right) > len(right) * 0.8 > sum(blind)


def test_a_word_without_a_vector_is_tagged_by_its_other_features(vectors_file: Path) -> None:
    tagger = fitted(replace(SURFACE, vectors=str(vectors_file), **ALL_VECTORS))  # type: ignore[arg-type]
    made = tagger.tag([Sentence(("xyzzy", "2019", "", "a\0b", "\ud800"))])[0]
    assert made.tags is not None and len(made.tags) == 5


def test_words_get_the_same_scores_in_any_company(vectors_file: Path) -> None:
    tagger = fitted(replace(SURFACE, vectors=str(vectors_file), **ALL_VECTORS))  # type: ignore[arg-type]
    scores = tagger._fitted()._scores
    words = words_of((*TRAIN, *UNSEEN))
    together = scores._word_scores([None, *words])
    assert all((scores._word_scores([word])[0] == row).all() for word, row in zip(words, together[1:], strict=True))
    assert (scores._word_scores([None])[0] == together[0]).all()


def test_vectors_that_know_none_of_the_words_are_noted_or_refused(tmp_path: Path) -> None:
    words = [f"word{index}" for index in range(200)]
    corpus = Corpus(
        "other", tuple(Sentence((word,), ("B-A" if index % 2 else "O",)) for index, word in enumerate(words))
    )
    path = tmp_path / "other.vec"
    features = Features(vectors=str(path), vector_dense=(0,))
    path.write_text("foreign 1 2 3\nword1 1 2 4\n", encoding="utf-8")
    history = LinearTagger(recipe(features)).fit(corpus)
    assert any("these vectors know 1 of 200 words" in note for note in history.notes)
    path.write_text("foreign 1 2 3\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"other\.vec: no vector for any of the 200 training words"):
        LinearTagger(recipe(features)).fit(corpus)


# The model folder


@pytest.fixture
def saved(vectors_file: Path, tmp_path: Path) -> Path:
    """A tagger trained with a copy of the vectors that is gone once it is saved."""
    copy = tmp_path / "copy.vec"
    shutil.copyfile(vectors_file, copy)
    tagger = fitted(replace(SURFACE, vectors=str(copy), **ALL_VECTORS))  # type: ignore[arg-type]
    tagger.save(tmp_path / "model")
    copy.unlink()
    (tmp_path / "expected.json").write_text(json.dumps([[one.tags, one.confidence] for one in tagger.tag(UNSEEN)]))
    return tmp_path / "model"


def test_the_folder_loads_in_a_fresh_process_without_the_vectors_file(saved: Path, tmp_path: Path) -> None:
    moved = saved.rename(tmp_path / "moved")
    assert str(tmp_path) not in (moved / "recipe.toml").read_text(encoding="utf-8")
    texts = json.dumps([list(one.tokens) for one in UNSEEN])
    script = (
        "import json, sys; from onomast import Sentence, load_tagger; "
        "made = load_tagger(sys.argv[1]).tag([Sentence(tuple(text)) for text in json.loads(sys.argv[2])]); "
        "assert not {'torch', 'gensim'} & set(sys.modules); "
        "print(json.dumps([[one.tags, one.confidence] for one in made]))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(moved), texts], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == json.loads((tmp_path / "expected.json").read_text())


def test_a_loaded_tagger_is_saved_as_the_same_bytes_and_can_be_trained_again(saved: Path, tmp_path: Path) -> None:
    loaded = load_tagger(saved)
    loaded.save(tmp_path / "again")
    names = sorted(path.name for path in saved.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    assert all((saved / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in names)
    assert loaded.fit(Corpus("made up", TRAIN)).epochs


@pytest.mark.parametrize("victim", ["vectors.safetensors", "vector_features.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "cut", "flipped", "zeros", "text"])
@pytest.mark.parametrize("signed", [False, True])
def test_a_damaged_file_is_refused(saved: Path, victim: str, damage: str, signed: bool) -> None:
    """`signed`: the checksum fits the damage, so that only the contents can tell."""
    path = saved / victim
    content = path.read_bytes()
    made = {
        "missing": b"",
        "cut": content[: len(content) // 2],
        "flipped": bytes([content[0] ^ 0xFF]) + content[1:],
        "zeros": bytes(len(content)),
        "text": b"hello\n",
    }[damage]
    path.write_bytes(made)
    described = json.loads((saved / "tags.json").read_text())
    described.pop("checksum", None)
    if damage == "missing":
        path.unlink()
        if signed:
            del described["sha256"][victim]
    elif signed:
        described["sha256"][victim] = hashlib.sha256(made).hexdigest()
    (saved / "tags.json").write_text(json.dumps(described))
    with pytest.raises(ModelError) as caught:
        load_tagger(saved)
    assert victim in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("change", ["vector_clusters = [2]", "vector_clusters = [2, 7]"])
def test_clusters_that_the_recipe_does_not_name_are_refused(saved: Path, change: str) -> None:
    path = saved / "recipe.toml"
    text = path.read_text(encoding="utf-8")
    start = text.index("vector_clusters")
    path.write_text(text[:start] + change + text[text.index("]", start) + 1 :], encoding="utf-8")
    described = json.loads((saved / "tags.json").read_text())
    described.pop("checksum", None)
    described["sha256"]["recipe.toml"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (saved / "tags.json").write_text(json.dumps(described))
    with pytest.raises(ModelError, match=r"vector_features\.safetensors holds"):
        load_tagger(saved)


# Recipes and the command line


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"vector_dense": (0,)}, RecipeError, r"^linear\.features\.vectors: .*--vectors FILE, or --raw FILE"),
        ({"vectors": "FILE"}, RecipeError, r"^linear\.features\.vectors: .*crf-fasttext"),
        ({"vectors": "FILE", "vector_clusters": (0,)}, RecipeError, r"^linear\.features\.vector_clusters: \[0\] is"),
        ({"vectors": "FILE", "vector_clusters": (3, 3)}, RecipeError, r"\[3, 3\] is not possible; expected different"),
        ({"vectors": "missing.vec", "vector_dense": (0,)}, DataError, r"missing\.vec"),
    ],
)
def test_what_cannot_be_used_is_refused(
    vectors_file: Path, fields: dict[str, object], error: type[OnomastError], message: str
) -> None:
    if fields.get("vectors") == "FILE":
        fields = {**fields, "vectors": str(vectors_file)}
    with pytest.raises(error, match=message) as caught:
        fitted(replace(SURFACE, **fields))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_the_recipe_asks_for_vectors() -> None:
    with pytest.raises(RecipeError, match="--vectors"):
        LinearTagger(read_recipe("crf-fasttext")).fit(Corpus("made up", TRAIN))


def labelled(path: Path) -> str:
    lines = [
        "\n".join(f"{token} {tag}" for token, tag in zip(one.tokens, one.tags or (), strict=True)) for one in TRAIN
    ]
    path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_vectors_of_the_command_line_reach_a_linear_recipe(vectors_file: Path, tmp_path: Path) -> None:
    options = TrainingOptions(
        labelled(tmp_path / "a.conll"), tmp_path / "m", recipe="crf-fasttext", vectors=str(vectors_file)
    )
    train_tagger(options)
    assert (tmp_path / "m" / "vectors.safetensors").is_file()
    assert load_tagger(tmp_path / "m").recipe.name == "crf-fasttext"


@pytest.mark.parametrize("given", [{"vectors": "tiny.vec"}, {"raw": ("raw.txt",)}])
def test_vectors_for_a_recipe_that_uses_none_are_refused_before_any_work(
    tmp_path: Path, given: dict[str, object]
) -> None:
    options = TrainingOptions(labelled(tmp_path / "a.conll"), tmp_path / "m", recipe="crf", **given)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="take the recipe crf-fasttext"):
        train_tagger(options)


def test_raw_text_of_the_command_line_becomes_vectors_of_a_linear_recipe(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("gensim")
    raw = tmp_path / "raw.txt"
    raw.write_text("".join(" ".join(one.tokens) + "\n" for one in TRAIN) * 5, encoding="utf-8")
    options = TrainingOptions(labelled(tmp_path / "a.conll"), tmp_path / "m", recipe="crf-fasttext", raw=(str(raw),))
    with caplog.at_level(logging.INFO, "onomast"):
        train_tagger(options)
    assert "words learnt from" in caplog.text
    unseen = load_tagger(tmp_path / "m").tag([Sentence(("Ashanti", "went", "to", "Osl"))])
    assert len(unseen[0].tags or ()) == 4
