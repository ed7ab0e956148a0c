"""The linear tagger against CRFsuite itself, and its Viterbi search against enumeration of all paths."""

from __future__ import annotations

import itertools
import json
import operator
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pycrfsuite
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onomast.corpus import Corpus
from onomast.errors import DataError, ModelError, RecipeError
from onomast.recipe import Features, Linear, Recipe, read_recipe
from onomast.sentence import Sentence
from onomast.taggers.linear import crfsuite
from onomast.taggers.linear import tagger as linear_module
from onomast.taggers.linear.crfsuite import read_model, train
from onomast.taggers.linear.emissions import TokenScores
from onomast.taggers.linear.features import FeatureExtractor
from onomast.taggers.linear.tagger import LinearTagger
from onomast.taggers.linear.viterbi import ViterbiDecoder
from onomast.taggers.registry import load_tagger
from onomast.tags import TagScheme, faults

NAMES = ["Asha", "Brown Bear", "Lake Elms North", "Oslo", "Q-7"]
WORDS = ["went", "to", "saw", "and", "the", "river", ",", "in", "2019"]
ALL_TEMPLATES = Features(
    lower=(0,), affix_window=(-1, 0), bigrams=((-1, 0),), shape_bigrams=((-1, 0), (0, 1), (-1, 0, 1)), pos=(0, -1)
)


def sentences(number: int, seed: int = 0) -> list[Sentence]:
    """Made-up sentences of 1 to 9 pieces; the label of a name depends on the word before it."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        tokens: list[str] = []
        tags: list[str] = []
        for _ in range(int(random.integers(1, 10))):
            if random.random() < 0.4:
                label = "LOC" if tokens and tokens[-1] in ("to", "in") else "PER"
                name = str(random.choice(NAMES)).split()
                tokens += name
                tags += [f"B-{label}"] + [f"I-{label}"] * (len(name) - 1)
            else:
                tokens.append(str(random.choice(WORDS)))
                tags.append("O")
        pos = tuple("N" if token[0].isupper() else "X" for token in tokens)
        made.append(Sentence(tuple(tokens), tuple(tags), pos))
    return made


TRAIN = tuple(sentences(60))
HELD_OUT = sentences(40, seed=1)


def recipe(features: Features = ALL_TEMPLATES, **fields: object) -> Recipe:
    return Recipe("test", "linear", linear=replace(Linear(features=features), **fields))  # type: ignore[arg-type]


def fitted(made: Recipe) -> LinearTagger:
    tagger = LinearTagger(made)
    tagger.fit(Corpus("made up", TRAIN))
    return tagger


# Reading the model file


def test_weights_equal_crfsuite_s_own_dump() -> None:
    items = [(["a", "\u00e9=1"], ["a"], ["b"]), (["b", "c"], ["a", "d"])]
    tags = [("O", "B-X", "O"), ("B-X", "O")]
    data, _ = train(zip(items, tags, strict=True), Linear(c1=0.0, c2=0.01), seed=0)
    weights = read_model(data)
    tagger = pycrfsuite.Tagger()
    tagger.open_inmemory(data)
    info = tagger.info()
    assert set(weights.rows) == set(info.attributes) and set(weights.tags) == set(info.labels)
    states = {}
    for name, index in weights.rows.items():
        for place in range(weights.starts[index], weights.starts[index + 1]):
            states[name, weights.tags[weights.columns[place]]] = weights.values[place]
    assert states == pytest.approx(info.state_features, abs=1e-6)
    for (before, after), weight in info.transitions.items():
        assert weights.transitions[weights.tags.index(before), weights.tags.index(after)] == pytest.approx(
            weight, abs=1e-6
        )


def test_a_model_without_any_weight_is_read() -> None:
    data, _ = train([([["a"]], ["O"]), ([["b"]], ["B-X"])], Linear(c1=1000.0), seed=0)
    weights = read_model(data)
    assert len(weights.values) == 0 and set(weights.tags) == {"O", "B-X"}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_damage_to_a_model_file_passes_as_another_exception(draw: st.DataObject) -> None:
    data, _ = train([([["a"], ["b"]], ["B-X", "O"])], Linear(), seed=0)
    words = struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4])
    place = draw.draw(st.integers(1, len(words) - 1)) * 4
    value = draw.draw(st.sampled_from([0, 1, 2**31, 2**32 - 1, len(data), len(data) - 1]))
    damaged = data[:place] + struct.pack("<I", value) + data[place + 4 :]
    try:
        read_model(damaged)
    except ValueError:
        return


# Scores and paths


@pytest.mark.parametrize("algorithm", ["lbfgs", "l2sgd", "ap", "pa", "arow"])
def test_scores_paths_and_marginals_equal_crfsuite_where_everything_is_legal(algorithm: str) -> None:
    """The same sums another way: CRFsuite's Viterbi path and marginals, with no transition forbidden."""
    extractor = FeatureExtractor(ALL_TEMPLATES)
    scheme = TagScheme(("LOC", "PER"))
    instances = list(linear_module._instances(TRAIN, scheme, extractor))
    data, _ = train(instances, Linear(algorithm=algorithm), seed=1)  # type: ignore[arg-type]
    weights = read_model(data)
    count = len(weights.tags)
    free = ViterbiDecoder(weights.transitions, *(np.ones(shape, bool) for shape in ((count, count), count, count)))
    tagger = pycrfsuite.Tagger()
    tagger.open_inmemory(data)
    scores = TokenScores(weights, extractor)
    for sentence, (features, _) in zip(HELD_OUT, linear_module._instances(HELD_OUT, scheme, extractor), strict=True):
        tagger.set(features)
        path, sure = free.decode(scores([sentence])[:, None, :], np.array([len(sentence)]))
        tags = [weights.tags[index] for index in path[:, 0]]
        expected = [tagger.marginal(tag, place) for place, tag in enumerate(tags)]
        assert tagger.probability(tags) == pytest.approx(tagger.probability(tagger.tag()), rel=1e-9)
        assert sure[:, 0] == pytest.approx(expected, abs=1e-8)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["iob2", "iobes"]), st.sampled_from([1.0, 10.0, 100.0]))
def test_paths_and_confidence_equal_enumeration_of_all_legal_paths(seed: int, style: str, spread: float) -> None:
    random = np.random.default_rng(seed)
    scheme = TagScheme(("A",) if style == "iobes" else ("A", "B"), style)  # type: ignore[arg-type]
    count = len(scheme.tags)
    lengths = np.sort(random.integers(1, 5, size=3))[::-1]
    scores = random.normal(size=(lengths[0], 3, count)) * spread
    transitions = random.normal(size=(count, count))
    decoder = ViterbiDecoder(transitions, scheme.transitions, scheme.starts, scheme.ends)
    path, sure = decoder.decode(scores, lengths)
    for row, length in enumerate(lengths):
        weight = {}
        for tags in itertools.product(range(count), repeat=int(length)):
            legal = scheme.starts[tags[0]] and scheme.ends[tags[-1]]
            if legal and all(scheme.transitions[pair] for pair in itertools.pairwise(tags)):
                weight[tags] = sum(scores[place, row, tag] for place, tag in enumerate(tags)) + sum(
                    transitions[pair] for pair in itertools.pairwise(tags)
                )
        best = max(weight, key=weight.__getitem__)
        assert tuple(path[:length, row]) == best
        total = np.logaddexp.reduce(list(weight.values()))
        expected = [
            np.exp(np.logaddexp.reduce([value for tags, value in weight.items() if tags[place] == best[place]]) - total)
            for place in range(length)
        ]
        assert sure[:length, row] == pytest.approx(expected, abs=1e-6)


def test_the_best_path_is_legal_where_crfsuite_s_is_not() -> None:
    """Weights that make CRFsuite close an entity that never began."""
    scheme = TagScheme(("A",))
    scores = np.zeros((2, 1, 5))
    scores[1, 0, scheme.ids["E-A"]] = 50.0
    scores[0, 0, 0] = 40.0
    decoder = ViterbiDecoder(np.zeros((5, 5)), scheme.transitions, scheme.starts, scheme.ends)
    path, sure = decoder.decode(scores, np.array([2]))
    assert [scheme.tags[index] for index in path[:, 0]] == ["B-A", "E-A"]
    assert sure.min() > 0.99


def test_forgetting_words_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tagger = fitted(recipe())
    expected = tagger.tag(HELD_OUT)
    tagger = fitted(recipe())
    scores = tagger._fitted()._scores
    monkeypatch.setattr(scores, "_capacity", 4)
    monkeypatch.setattr(linear_module, "_CHUNK_TOKENS", 5)
    made = tagger.tag(HELD_OUT)
    assert [new.tags for new in made] == [old.tags for old in expected]
    assert max(len(sentence) for sentence in HELD_OUT) > 4
    assert len(scores._rows) <= max(len(set(sentence.tokens)) for sentence in HELD_OUT)


# Fitting


def test_history_has_a_falling_loss_per_iteration() -> None:
    history = LinearTagger(recipe()).fit(Corpus("made up", TRAIN))
    losses = [row["loss"] for row in history.epochs]
    assert [row["iteration"] for row in history.epochs] == list(range(1, len(losses) + 1))
    assert losses[-1] < losses[0] and history.epochs[-1]["active_features"] > 0
    assert history.seconds > 0


def test_unannotated_tokens_are_left_out_and_counted() -> None:
    holes = tuple(
        one.tagged([None if place % 3 == 2 else tag for place, tag in enumerate(one.tags or ())]) for one in TRAIN
    )
    tagger = LinearTagger(recipe())
    history = tagger.fit(Corpus("holes", holes))
    missing = sum(tag is None for one in holes for tag in one.tags or ())
    assert history.notes[0].startswith(f"{missing} tokens of ")
    made = [tag for new in tagger.tag(HELD_OUT) for tag in new.tags or ()]
    gold = [tag for old in HELD_OUT for tag in old.tags or ()]
    assert sum(map(operator.eq, made, gold)) / len(gold) > 0.9


@pytest.mark.parametrize(
    ("style", "expected"),
    [("iob2", [["I-A", "O"], ["B-B", "I-B"]]), ("iobes", [["E-A", "O"], ["B-B", "E-B"]])],
)
def test_an_entity_cut_by_an_unannotated_token_keeps_its_inside_tag(style: str, expected: list[list[str]]) -> None:
    sentence = Sentence(tuple("abcdef"), (None, "I-A", "O", None, "B-B", "I-B"))
    scheme = TagScheme(("A", "B"), style)  # type: ignore[arg-type]
    made = linear_module._instances([sentence], scheme, FeatureExtractor(Features()))
    assert [tags for _, tags in made] == expected


@pytest.mark.parametrize("tags", [("B-A", "I-A"), (None, "I-A")])
@pytest.mark.parametrize("style", ["iob2", "iobes"])
def test_sentences_have_a_legal_path_even_when_training_shows_no_outside_tag(
    style: str, tags: tuple[str | None, ...]
) -> None:
    tagger = LinearTagger(replace(recipe(Features()), scheme=style))
    tagger.fit(Corpus("odd", (Sentence(("a", "b"), tags),)))
    for made in tagger.tag([Sentence(tuple("abcde"[:length])) for length in (1, 2, 3, 5)]):
        assert faults(made.tags or ()) == []


def test_annotated_stretches() -> None:
    assert list(linear_module._annotated(("O", None, None, "B-A", "I-A"))) == [(0, 1), (3, 5)]
    assert list(linear_module._annotated((None,))) == []


@pytest.mark.parametrize("tags", [None, (None, None)])
def test_sentences_without_any_tag_are_left_out_with_a_note(tags: tuple[None, ...] | None) -> None:
    corpus = Corpus("some", (*TRAIN, Sentence(("a", "b"), tags, pos=("X", "X"), source="some.conll:9")))
    tagger, without = LinearTagger(recipe()), LinearTagger(recipe())
    history = tagger.fit(corpus)
    without.fit(Corpus("some", tuple(TRAIN)))
    assert "1 sentences without any tag were left out" in history.notes
    bare = [sentence.bare() for sentence in TRAIN]
    assert [one.tags for one in tagger.tag(bare)] == [one.tags for one in without.tag(bare)]


def test_a_file_without_any_tag_is_refused() -> None:
    corpus = Corpus("some", (Sentence(("a", "b"), (None, None), source="some.conll:9"),))
    with pytest.raises(DataError, match=r"some\.conll:9: no sentence has tags"):
        LinearTagger(recipe()).fit(corpus)


def test_words_read_as_tags_are_refused_with_the_labels() -> None:
    train = tuple(Sentence((f"N{index}", "x"), (f"B-word{index}", "O")) for index in range(150))
    with pytest.raises(DataError, match=r"150 entity labels for 150 entities, such as word0.*--columns"):
        LinearTagger(recipe()).fit(Corpus("swapped", train))


def test_tags_that_do_not_fit_the_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crfsuite, "_free_memory", lambda: 100.0)
    with pytest.raises(DataError, match=r"2 different tags need about .* GB"):
        crfsuite.train([([["a"], ["b"]], ["O", "B-PER"])], recipe().linear, 0)


def test_no_training_sentences_are_refused() -> None:
    with pytest.raises(DataError, match="no training sentences"):
        LinearTagger(recipe()).fit(Corpus("none", ()))


def test_training_without_entities_is_noted() -> None:
    plain = tuple(Sentence(("a", "b"), ("O", "O")) for _ in range(3))
    tagger = LinearTagger(recipe(Features()))
    assert "no entity" in tagger.fit(Corpus("plain", plain)).notes[0]
    assert tagger.tag([Sentence(("a", "Z"))])[0].tags == ("O", "O")


def test_words_that_c_cannot_hold_are_learnt_and_tagged() -> None:
    odd = Sentence(("a\0b", "\ud800", "", " "), ("B-A", "O", "O", "O"))
    tagger = LinearTagger(recipe(Features(), c1=0.0, c2=0.001))
    tagger.fit(Corpus("odd", (odd,)))
    assert tagger.tag([odd.bare()])[0].tags == odd.tags


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"parameters": {"delt": 1}}, r"linear\.parameters\.delt: lbfgs has no such parameter; did you mean 'delta'"),
        ({"parameters": {"epsilon": "small"}}, r"parameters\.epsilon: 'small' is not possible; expected a number"),
        ({"parameters": {"num_memories": 0}}, r"parameters\.num_memories: 0 is not possible; expected a whole number"),
        ({"parameters": {"linesearch": "Best"}}, r"'Best' is not possible; expected MoreThuente, "),
        ({"parameters": {"c1": 1.0}}, r"parameters\.c1: it has a field of its own; set linear\.c1"),
        ({"c2": -1.0}, r"linear\.c2: -1\.0 is not possible; expected a number, 0 or more"),
        ({"algorithm": "ap", "parameters": {"variance": 1}}, "ap has no such parameter"),
    ],
)
def test_parameters_are_checked(fields: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        LinearTagger(recipe(**fields)).fit(Corpus("made up", TRAIN))


def test_a_scheme_without_begin_tags_is_refused() -> None:
    with pytest.raises(RecipeError, match="scheme: 'io' is not possible"):
        LinearTagger(replace(recipe(), scheme="io")).fit(Corpus("made up", TRAIN))


def test_pos_templates_ask_for_pos_tags() -> None:
    tagger = fitted(recipe())
    with pytest.raises(DataError, match="part-of-speech"):
        tagger.tag([Sentence(("Asha",))])


# The model folder


def test_word_lists_and_clusters_travel_with_the_model(tmp_path: Path) -> None:
    places, clusters = tmp_path / "places.txt", tmp_path / "bits.tsv"
    places.write_text("Lake Elms North\nOslo\n", encoding="utf-8")
    clusters.write_text("in\t0110\nto\t0111\n", encoding="utf-8")
    tagger = fitted(recipe(Features(lists=(str(places),), clusters=str(clusters))))
    expected = tagger.tag(HELD_OUT)
    tagger.save(tmp_path / "model")
    places.unlink()
    clusters.unlink()
    (tmp_path / "model").rename(tmp_path / "elsewhere")
    loaded = load_tagger(tmp_path / "elsewhere")
    assert loaded.tag(HELD_OUT) == expected
    assert str(tmp_path) not in (tmp_path / "elsewhere" / "recipe.toml").read_text(encoding="utf-8")
    history = loaded.fit(Corpus("made up", TRAIN))  # its recipe names the files where they are now
    assert history.epochs and loaded.tag(HELD_OUT) == expected


def test_a_model_file_of_another_tagger_is_refused(tmp_path: Path) -> None:
    tagger, other = fitted(recipe()), LinearTagger(recipe())
    other.fit(Corpus("other", (Sentence(("x",), ("B-OTHER",), pos=("X",)),)))
    tagger.save(tmp_path / "a")
    other.save(tmp_path / "b")
    (tmp_path / "a" / "model.crfsuite").write_bytes((tmp_path / "b" / "model.crfsuite").read_bytes())
    with pytest.raises(ModelError, match="not the file that was saved"):
        LinearTagger.load(tmp_path / "a")
    described = json.loads((tmp_path / "a" / "tags.json").read_text(encoding="utf-8"))
    described["sha256"]["model.crfsuite"] = json.loads((tmp_path / "b" / "tags.json").read_text(encoding="utf-8"))[
        "sha256"
    ]["model.crfsuite"]
    del described["checksum"]
    (tmp_path / "a" / "tags.json").write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(ModelError, match=r"tags that tags\.json has not"):
        LinearTagger.load(tmp_path / "a")


@pytest.mark.parametrize("name", ["crf", "crf-myner"])
def test_predictions_are_legal_on_words_never_seen(name: str) -> None:
    tagger = fitted(read_recipe(name))
    odd = [Sentence(tuple(one.tokens[::-1])) for one in HELD_OUT]
    assert all(faults(made.tags or ()) == [] for made in tagger.tag(odd))
