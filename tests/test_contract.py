"""What every tagger promises, for every recipe in RECIPES. A new system adds a row and passes, or does not ship."""

from __future__ import annotations

import copy
import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from onomast.corpus import Corpus
from onomast.errors import ModelError, OnomastError
from onomast.recipe import encoder_field, read_recipe
from onomast.sentence import Sentence, Trigger
from onomast.tagger import Tagger
from onomast.taggers.registry import load_tagger, new_tagger
from onomast.tags import Span, faults, tags_of
from tiny_encoders import tiny_encoder


@dataclass(frozen=True)
class Case:
    """A recipe, with changes that make it quick on eight sentences; `needs` is a library of an extra."""

    recipe: str
    changes: Mapping[str, str]
    weights: str
    """The file of the model folder that holds the weights."""
    needs: str = "pycrfsuite"
    predicts_pos: bool = False
    vectors: str | None = None
    """The field that names a vectors file, if the recipe needs one."""
    encoder: str | None = None
    """The family of a tiny pre-trained encoder, if the recipe needs one."""
    sources: bool = False
    """Whether the recipe needs other languages' sentences."""
    triggers: bool = False
    """Whether the recipe needs sentences with entity triggers."""
    exported: bool = False
    """Whether the tagger is exported as ONNX after training."""


def neural(recipe: str, predicts_pos: bool = False, **settings: str) -> Case:
    """Narrow layers without dropout, and steps enough for eight sentences; `settings` of the recipe go last."""
    changes = {
        "neural.words.width": "24",
        "neural.words.dropout": "0",
        "neural.encoder.width": "24",
        "neural.encoder.dropout": "0",
        "neural.training.batch_size": "4",
        "neural.training.learning_rate": "0.01",
        "neural.training.schedule": "one-cycle",
        "neural.training.dev": "none",
        "neural.training.select": "last",
        "neural.training.steps": "0",
        "neural.training.epochs": "70",
    }
    changes |= {name.replace("__", "."): value for name, value in settings.items()}
    return Case(recipe, changes, "weights.safetensors", "torch", predicts_pos)


def transformer(recipe: str, family: str, **more: str) -> Case:
    """A tiny random encoder; all of it learns fast."""
    settings = {"neural.pretrained.head_rate": "1", "neural.training.epochs": "60", "neural.training.rescue_after": "0"}
    case = neural(recipe, neural__training__learning_rate="0.003", **settings, **more)
    unused = ("neural.words.", "neural.characters.", "neural.encoder.")
    changes = {key: value for key, value in case.changes.items() if not key.startswith(unused)}
    return replace(case, changes=changes, needs="transformers", encoder=family)


def frozen_encoder(recipe: str, family: str, **more: str) -> Case:
    """A tiny random encoder that is read beside the words."""
    settings = {"neural.context.layers": "[1, 2]", "neural.context.width": "16", "neural.context.precision": "single"}
    return replace(neural(recipe, **settings, **more), needs="transformers", encoder=family)


def tmn(members: str = "1", **triggers: str) -> Case:
    """A narrow Trigger Matching Network; `triggers` are fields of neural.triggers."""
    changes = {"epochs": "10", "width": "12", "hops": "3", "learning_rate": "0.01", **triggers}
    words = {name: value if value[0].isdigit() or value == "true" else f'"{value}"' for name, value in changes.items()}
    settings = {f"neural__triggers__{name}": value for name, value in words.items()}
    case = neural("tmn", neural__training__optimizer='"adam"', neural__ensemble_size=members, **settings)
    return replace(case, triggers=True)


def linear(recipe: str, algorithm: str = "lbfgs", scheme: str = "iobes") -> Case:
    """Penalties so small that eight sentences can be learnt by heart."""
    changes = {"linear.c1": "0", "linear.c2": "0.001", "linear.algorithm": algorithm, "scheme": scheme}
    return Case(recipe, changes, "model.crfsuite")


QUICK_CHAIN = '[{corpus = ["sources"], epochs = 2}, {corpus = ["nearest"], epochs = 2}, {corpus = ["target"]}]'
RECIPES = {
    "crf": linear("crf"),
    "crf-myner": linear("crf-myner"),
    "crf, l2sgd": linear("crf", "l2sgd"),
    "crf, ap": linear("crf", "ap"),
    "crf, pa": linear("crf", "pa"),
    "crf, arow": linear("crf", "arow"),
    "crf, iob2": linear("crf", scheme="iob2"),
    "crf, bilou": linear("crf", scheme="bilou"),
    "crf-fasttext": replace(linear("crf-fasttext"), vectors="linear.features.vectors"),
    "bilstm-softmax": neural("bilstm-softmax"),
    "bilstm-crf": neural("bilstm-crf"),
    "bilstm-crf-fasttext": replace(neural("bilstm-crf-fasttext"), vectors="neural.words.vectors"),
    "bilstm-crf-pos": neural("bilstm-crf-pos", predicts_pos=True),
    "bcrf": neural("bcrf"),
    "joint-sentence": neural("joint-sentence"),
    "joint-sentence-attention": neural("joint-sentence-attention"),
    "small": neural("small"),
    "small, deva": neural("small", script="deva"),
    "small, two members": neural("small", neural__ensemble_size="2"),
    "transfer": neural("transfer"),
    "transfer-vectors": replace(neural("transfer-vectors"), vectors="neural.words.vectors"),
    "small-vectors": replace(neural("small-vectors"), vectors="neural.words.vectors"),
    "tmn": tmn(),
    "tmn, as published": tmn(lstm="separate", examples="trigger", merge="true"),
    "tmn, random": tmn(kind="random", nearest="3"),
    "tmn, two members": tmn(lstm="separate", merge="true", members="2"),
    "crosslingual": neural("crosslingual", neural__training__learning_rate="1.0"),
    "transformer, bert": transformer("transformer", "bert"),
    "transformer-crf, xlm-roberta": transformer("transformer-crf", "xlm-roberta"),
    "transformer, two members": transformer("transformer", "bert", neural__ensemble_size="2"),
    "transformer, deberta-v2": transformer("transformer", "deberta-v2"),
    "transformer-crf, slow": transformer("transformer-crf", "slow"),
    "small-context, bert": frozen_encoder("small-context", "bert"),
    "small-context, two networks": frozen_encoder("small-context", "xlm-roberta", neural__ensemble_size="2"),
    "transfer-context, deberta-v2": frozen_encoder("transfer-context", "deberta-v2"),
    "multilingual": replace(transformer("multilingual", "bert"), sources=True),
    "progressive": replace(transformer("progressive", "xlm-roberta", stage=QUICK_CHAIN), sources=True),
}
NOT_EXPORTED = ("transformer, deberta-v2", "transformer-crf, slow")  # test_export.py: refused with the reason
NOT_EXPORTED += tuple(name for name in RECIPES if name.startswith("tmn"))  # test_triggers.py: likewise
NOT_EXPORTED += tuple(name for name in RECIPES if "-context" in name)  # test_contextual.py: likewise
CASES = {  # the exported tagger follows the one that it is made of, which is then trained once for both
    name: replace(case, exported=exported)
    for recipe, case in RECIPES.items()
    for exported in (False, True)
    if not exported or (case.weights == "weights.safetensors" and recipe not in NOT_EXPORTED)
    for name in [f"{recipe}, exported" if exported else recipe]
}

TEXTS = [
    "[PER Amina Yusuf] visited [LOC Zanzibar] on Monday .",
    "The [ORG Green Valley Bank] opened in [LOC Mombasa] .",
    "[PER Juma] and [PER Neema Okello] work for [ORG Radio Savanna] .",
    "Rain fell all night .",
    "[ORG Lakeside Hospital] thanked [PER Doctor Achieng Otieno Wafula] .",
    "Farmers near [LOC Lake Turkana] sold maize .",
    "[LOC Arusha]",
    "She said that [ORG Blue River United] won in [LOC Kisumu] [LOC Town] .",
]


def sentence(text: str) -> Sentence:
    """`[PER Amina Yusuf] left .` -> a sentence with the tags B-PER I-PER O O."""
    tokens: list[str] = []
    spans: list[Span] = []
    start, label = 0, ""
    words = text.split()
    for word in words:
        if word.startswith("["):
            start, label = len(tokens), word[1:]
            continue
        tokens.append(word.rstrip("]"))
        if word.endswith("]"):
            spans.append(Span(start, len(tokens), label))
    pos = tuple("NAME" if token[0].isupper() else "WORD" for token in tokens)
    return Sentence(tuple(tokens), tags_of(spans, len(tokens)), pos, label="long" if len(tokens) > 7 else "short")


def explained(one: Sentence) -> Sentence:
    """The sentence with a trigger for each entity of it: the words outside all entities, where there are any."""
    outside = tuple(index for index, tag in enumerate(one.tags or ()) if tag == "O")[:2]
    triggers = [Trigger((span.start, span.end), outside) for span in one.spans]
    return replace(one, triggers=tuple(triggers) if outside else ())


SENTENCES = tuple(sentence(text) for text in TEXTS)
SOURCES = (Corpus("far", SENTENCES[3:4] + SENTENCES[6:]), Corpus("near", SENTENCES[:3]))
UNSEEN = (
    sentence("[PER Baraka Mwangi] lives in [LOC Mombasa]"),
    Sentence(("Arusha",), pos=("NAME",)),
    sentence("[ORG Zanzibar Radio] said nothing about [PER Juma] , again ."),
    Sentence(("xyzzy", "1234", "-", "\u00e9l\u00e8ve", "\U0001f600"), pos=("WORD",) * 5),
)


def trained(case: Case) -> Tagger:
    pytest.importorskip(case.needs)
    tagger = new_tagger(read_recipe(case.recipe, case.changes))
    sources = SOURCES if case.sources else ()
    train = tuple(map(explained, SENTENCES)) if case.triggers else SENTENCES
    tagger.fit(Corpus("eight", train, sources=sources))
    return tagger


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES.keys())
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    chosen: Case = request.param
    if chosen.encoder is not None:
        pytest.importorskip(chosen.needs)
        folder = tiny_encoder(chosen.encoder, tmp_path_factory.mktemp("encoder"))
        return replace(
            chosen, changes={**chosen.changes, encoder_field(read_recipe(chosen.recipe)) or "": json.dumps(str(folder))}
        )
    if chosen.vectors is None:
        return chosen
    path = tmp_path_factory.mktemp("vectors") / "tiny.vec"
    words = sorted({token for one in SENTENCES for token in one.tokens} - {"Arusha"})
    rows = (f"{word} {len(word) - 5.5} {word[0].isupper() - 0.5} {index % 7 - 3.5}" for index, word in enumerate(words))
    path.write_text("\n".join(rows), encoding="utf-8")
    return replace(chosen, changes={**chosen.changes, chosen.vectors: json.dumps(str(path))})


@pytest.fixture(scope="module")
def last_trained() -> dict[str, Tagger]:
    return {}


def _key(case: Case) -> str:
    """The same for a case and its exported form, whatever files were made for it."""
    files = {case.vectors, encoder_field(read_recipe(case.recipe)) if case.encoder else None}
    changes = {name: value for name, value in sorted(case.changes.items()) if name not in files}
    return f"{case.recipe} {case.encoder} {changes}"


@pytest.fixture(scope="module")
def tagger(case: Case, last_trained: dict[str, Tagger], tmp_path_factory: pytest.TempPathFactory) -> Tagger:
    if not case.exported:
        last_trained.clear()
        last_trained[_key(case)] = trained(case)
        return last_trained[_key(case)]
    pytest.importorskip("onnxruntime")
    from onomast.export.build import export

    source = last_trained.pop(_key(case), None) or trained(case)
    folder = tmp_path_factory.mktemp("exported")
    source.save(folder / "model")
    return load_tagger(export(folder / "model", folder / "onnx"))


@pytest.fixture(scope="module")
def saved(tagger: Tagger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "new" / "folder"
    tagger.save(folder)
    return folder


def test_learns_eight_sentences_by_heart(tagger: Tagger) -> None:
    assert [made.tags for made in tagger.tag(SENTENCES)] == [gold.tags for gold in SENTENCES]


def test_keeps_order_number_and_every_other_field(case: Case, tagger: Tagger) -> None:
    given = [*UNSEEN, *SENTENCES, *UNSEEN]
    made = tagger.tag(given)
    assert [(new.tokens, new.source, new.language) for new in made] == [
        (old.tokens, old.source, old.language) for old in given
    ]
    assert case.predicts_pos or [new.pos for new in made] == [old.pos for old in given]
    alone = [tagger.tag([one])[0].tags for one in given]
    assert [new.tags for new in made] == alone  # company changes nothing


def test_does_not_read_gold(tagger: Tagger) -> None:
    wrong = [old.tagged(["B-LOC"] * len(old)) for old in SENTENCES]
    bare = [old.bare() for old in SENTENCES]
    assert [(new.tags, new.confidence) for new in tagger.tag(wrong)] == [
        (new.tags, new.confidence) for new in tagger.tag(bare)
    ]


def test_changes_no_argument(tagger: Tagger) -> None:
    given = list(UNSEEN)
    before = copy.deepcopy(given)
    tagger.tag(given)
    assert given == before


def test_tags_are_legal_iob2_of_known_labels(tagger: Tagger) -> None:
    shuffled = [Sentence(one.tokens[::-1], pos=(one.pos or ())[::-1]) for one in (*SENTENCES, *UNSEEN)]
    known = {"O", *(f"{prefix}-{label}" for prefix in "BI" for label in ("PER", "LOC", "ORG"))}
    for made in tagger.tag(shuffled):
        assert made.tags is not None and set(made.tags) <= known
        assert faults(made.tags) == []


def test_confidence_is_a_probability_per_token(tagger: Tagger) -> None:
    for made in tagger.tag([*SENTENCES, *UNSEEN]):
        assert made.confidence is not None
        assert all(type(value) is float and 0 <= value <= 1 for value in made.confidence)


def test_tags_nothing_no_tokens_one_token_and_ten_thousand(tagger: Tagger) -> None:
    assert tagger.tag([]) == []
    empty, one = tagger.tag([Sentence((), pos=()), Sentence(("Arusha",), pos=("NAME",))])
    assert empty.tags == () and one.tags is not None and len(one.tags) == 1
    tokens = tuple(token for index in range(1_250) for token in SENTENCES[index % 2].tokens)
    pos = tuple("NAME" if token[0].isupper() else "WORD" for token in tokens)
    (long,) = tagger.tag([Sentence(tokens[:10_000], pos=pos[:10_000])])
    assert long.tags is not None and len(long.tags) == len(tokens[:10_000]) and faults(long.tags) == []


def assert_same(made: Sequence[Sentence], wanted: Sequence[Sentence]) -> None:
    """Equal but for the last digits of confidences: sums over words met in another order round differently."""
    for new, old in zip(made, wanted, strict=True):
        assert dataclasses.replace(new, confidence=None) == dataclasses.replace(old, confidence=None)
        assert new.confidence == pytest.approx(old.confidence, abs=1e-4)


def test_save_then_load_gives_equal_tags_and_confidence(tagger: Tagger, saved: Path) -> None:
    loaded = load_tagger(saved)
    given = [*SENTENCES, *UNSEEN]
    assert_same(loaded.tag(given), tagger.tag(given))
    assert loaded.scheme == tagger.scheme


def test_a_copy_of_the_folder_is_as_good(tagger: Tagger, saved: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(saved, moved)
    loaded = load_tagger(moved)
    loaded.save(tmp_path / "again")
    assert_same(load_tagger(tmp_path / "again").tag(UNSEEN), tagger.tag(UNSEEN))


def test_the_same_seed_gives_the_same_weights(case: Case, saved: Path, tmp_path: Path) -> None:
    if case.exported:
        pytest.skip("an exported tagger is not trained")
    trained(case).save(tmp_path / "twin")
    assert (tmp_path / "twin" / case.weights).read_bytes() == (saved / case.weights).read_bytes()


def test_leaves_no_temporary_files(saved: Path) -> None:
    assert [path.name for path in saved.rglob("*") if path.name.startswith(".")] == []


def test_says_so_when_it_knows_nothing_yet(case: Case, tmp_path: Path) -> None:
    if case.exported:
        pytest.skip("an exported tagger is not trained")
    pytest.importorskip(case.needs)
    untrained = new_tagger(read_recipe(case.recipe, case.changes))
    for call in (lambda: untrained.tag(UNSEEN), lambda: untrained.save(tmp_path), lambda: untrained.scheme):
        with pytest.raises(OnomastError, match="fit"):
            call()


def test_refuses_a_folder_that_misses_a_file(saved: Path, tmp_path: Path) -> None:
    for victim in sorted(path.relative_to(saved) for path in saved.rglob("*") if path.is_file()):
        folder = tmp_path / victim.name
        shutil.copytree(saved, folder)
        (folder / victim).unlink()
        with pytest.raises(ModelError) as caught:
            load_tagger(folder)
        assert victim.name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "zeros", "text"])
def test_refuses_a_folder_with_a_damaged_file(saved: Path, tmp_path: Path, damage: str) -> None:
    for victim in sorted(path.relative_to(saved) for path in saved.rglob("*") if path.is_file()):
        folder = tmp_path / victim.name
        shutil.copytree(saved, folder)
        content = (folder / victim).read_bytes()
        middle = len(content) // 2
        made = {
            "empty": b"",
            "cut": content[:middle],
            "flipped": content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :],
            "zeros": bytes(len(content)),
            "text": b"hello\n",
        }[damage]
        (folder / victim).write_bytes(made)
        with pytest.raises(ModelError) as caught:
            load_tagger(folder)
        assert "\n" not in str(caught.value)


def test_refuses_what_is_no_model_folder(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ModelError):
            load_tagger(folder)
