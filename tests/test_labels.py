"""Different label sets: sources in the target's, what they leave out as sets of tags, the map that is proposed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from onomast import read, read_recipe
from onomast.cli.main import app
from onomast.cli.terminal import run as run_command
from onomast.corpus import Corpus
from onomast.data.transfer.label_alignment import align, parse_relabel, propose
from onomast.errors import DataError, OnomastError, RecipeError
from onomast.layers.heads import CRFHead, SoftmaxHead
from onomast.recipe import Sources
from onomast.sentence import Sentence
from onomast.taggers.linear.tagger import LinearTagger
from onomast.taggers.neural.heads import EntityTags, gold_of
from onomast.taggers.training_corpus import repeated, with_sources
from onomast.tags import Style, Tag, TagScheme
from oracles.paths import all_paths, log_partition, log_total

STYLES: tuple[Style, ...] = ("iob2", "iobes", "bilou", "bmeso")


def sentence(text: str, **fields: tuple[str, ...]) -> Sentence:
    """`"Asha/B-PER alifika"`: a token without a tag is O, one with `/?` is not annotated."""
    pairs = [item.partition("/") for item in text.split()]
    tags = [None if tag == "?" else tag or "O" for _, _, tag in pairs]
    return Sentence(tuple(token for token, _, _ in pairs), tuple(tags), **fields)  # type: ignore[arg-type]


def corpus(name: str, *texts: str) -> Corpus:
    return Corpus(name, tuple(map(sentence, texts)))


TARGET = corpus("ours", "Asha/B-PER alifika Moshi/B-LOC jana/B-DATE", "Juma/B-PER Neema/I-PER alilala")
SOURCE = corpus("theirs", "Musa/B-NEP Bala/I-NEP ya tafi Kano/B-NEL", "UN/B-NEX da/I-NEX Aisha/B-NEP", "ya ce")


def test_labels_are_renamed_and_what_the_target_lacks_is_not_annotated() -> None:
    aligned = align(TARGET, [SOURCE], {"NEP": "PER", "NEL": "LOC"})
    (source,) = aligned.corpus.sources
    assert [one.tags for one in source.train] == [
        ("B-PER", "I-PER", "O", "O", "B-LOC"),
        (None, None, "B-PER"),
        ("O", "O"),
    ]
    assert {one.unannotated for one in source.train} == {("DATE",)}
    assert aligned.corpus.train == TARGET.train
    assert aligned.corpus.labels == ("DATE", "LOC", "PER")
    assert aligned.notes == (
        "theirs: renamed NEL=LOC, NEP=PER; DATE not annotated, so its O may be one of them; "
        "2 tokens of NEX count as not annotated; --relabel OLD=NEW makes use of them",
    )


def test_a_label_mapped_to_nothing_is_not_annotated_even_if_the_target_has_it() -> None:
    same = corpus("same", "Aisha/B-PER Kano/B-LOC jiya/B-DATE")
    (source,) = align(TARGET, [same], {"DATE": ""}).corpus.sources
    assert source.train[0].tags == ("B-PER", "B-LOC", None)
    assert source.train[0].unannotated == ("DATE",)


def test_the_same_labels_stay_as_they_are() -> None:
    same = corpus("same", "Aisha/B-PER Kano/B-LOC jiya/B-DATE ne/?")
    aligned = align(TARGET, [same])
    assert aligned.corpus.sources == (same,)
    assert aligned.notes == ("same: the same labels",)


def test_what_a_source_said_it_leaves_out_stays_left_out() -> None:
    one = dataclasses.replace(sentence("Aisha/B-PER jiya/B-DATE"), unannotated=("NEL", "NEX"))
    (source,) = align(TARGET, [Corpus("s", (one, *SOURCE.train))], {"NEL": "LOC", "NEP": "PER"}).corpus.sources
    assert source.train[0].unannotated == ("LOC",)
    again = align(TARGET, [source])
    assert again.corpus.sources == (source,)


@pytest.mark.parametrize("train", [(), (sentence("hakuna kitu"),), (Sentence(("bila", "tags")),)])
def test_without_target_labels_those_of_all_sources_stand(train: tuple[Sentence, ...]) -> None:
    other = corpus("other", "jiya/B-DATE Keza/B-PER")
    made = align(Corpus("ours", train), [SOURCE, other], {"NEP": "PER", "NEX": ""}).corpus
    assert made.labels == ("DATE", "NEL", "PER")
    assert [source.train[0].unannotated for source in made.sources] == [("DATE",), ("NEL",)]
    assert made.sources[0].train[1].tags == (None, None, "B-PER")


def test_a_mapping_serves_every_source_that_has_the_label_and_must_serve_one() -> None:
    other = corpus("other", "Keza/B-PER")
    first, second = align(TARGET, [SOURCE, other], {"NEP": "PER"}).corpus.sources
    assert first.labels == second.labels == ("PER",)
    with pytest.raises(DataError, match=r"2 sources: label 'NEPP' to rename does not occur; did you mean 'NEP'\?"):
        align(TARGET, [SOURCE, other], {"NEPP": "PER"})


def test_no_label_in_common_is_an_error_that_shows_both_and_proposes_a_map() -> None:
    with pytest.raises(DataError) as caught:
        align(TARGET, [SOURCE])
    message = str(caught.value)
    assert message.startswith(
        "theirs: its labels (NEL, NEP, NEX) and those of ours (DATE, LOC, PER) have none in common"
    )
    assert message.endswith("try --relabel NEL=LOC,NEP=PER")
    assert parse_relabel(message.rsplit(" ", 1)[1]) == {"NEL": "LOC", "NEP": "PER"}
    with pytest.raises(DataError, match=r"renamed by NEP=PERS, and those of ours .* try --relabel NEL=LOC,NEP=PER"):
        align(TARGET, [SOURCE], {"NEP": "PERS"})


def test_a_source_without_any_label_is_an_error() -> None:
    with pytest.raises(DataError, match="empty: no sentence carries a label"):
        align(TARGET, [corpus("empty", "ya tafi")])


def test_mentions_that_both_have_propose_a_map_where_names_say_nothing() -> None:
    places, people = [f"place{number}" for number in range(9)], [f"Person{number}" for number in range(9)]
    target, source = (
        corpus(name, *(f"{one}/B-{place} {two}/B-{person}" for one, two in zip(places, people, strict=True)), stray)
        for name, place, person, stray in (("ours", "X", "Y", "PLACE0/B-Y"), ("theirs", "1", "2", "Keza/B-3"))
    )
    assert propose(target, source) == {"1": "X", "2": "Y"}


def test_strays_do_not_hide_what_the_names_begin_with() -> None:
    many = [f"a{index}/B-NEP b{index}/B-NEL c{index}/B-NEO" for index in range(100)]
    target = corpus("ours", "x/B-PER y/B-LOC z/B-ORG")
    assert propose(target, corpus("theirs", *many, "q/B-doubt")) == {"NEL": "LOC", "NEO": "ORG", "NEP": "PER"}


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("NEP=PER,NEL=LOC", {"NEP": "PER", "NEL": "LOC"}),
        (" NEP = PER , NEN= ,", {"NEP": "PER", "NEN": ""}),
        ("A=B,A=B", {"A": "B"}),
        ("", {}),
    ],
)
def test_relabel_is_read(text: str, mapping: Mapping[str, str]) -> None:
    assert parse_relabel(text) == mapping


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NEP", "expected OLD=NEW"),
        ("=PER", "expected OLD=NEW"),
        ("NEP=O", "O is no label"),
        ("B-NEP=PER", "B-NEP is a tag; expected a label, such as NEP"),
        ("A=B,A=C", "A is given two names, 'B' and 'C'"),
    ],
)
def test_a_wrong_relabel_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(OnomastError, match=message):
        parse_relabel(text)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "tags", [("O", "B-PER", "O", "O"), ("B-PER", "I-PER", "O", "B-PER"), ("O", "O", None, "O"), ("B-PER", None, "O")]
)
def test_the_crf_sums_over_all_paths_that_the_left_out_labels_leave_open(style: Style, tags: tuple[Tag, ...]) -> None:
    """The loss is log of all paths less log of those that keep the annotated entities and add only left-out ones."""

    def consistent(gold: Tag, found: Tag) -> bool:
        return gold is None or gold == found or (gold == "O" and found in ("B-DATE", "I-DATE"))

    targets = {"entities": EntityTags(TagScheme(("DATE", "PER"), style))}
    scheme, length = targets["entities"].scheme, len(tags)
    one = Sentence(("a",) * length, tags, unannotated=("DATE",))
    torch.manual_seed(0)
    head = CRFHead(
        width=3,
        legal=torch.from_numpy(scheme.transitions),
        starts=torch.tensor(scheme.starts),
        ends=torch.tensor(scheme.ends),
    ).double()
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    hidden, mask = torch.randn(1, length, 3, dtype=torch.float64), torch.ones(1, length, dtype=torch.bool)
    chain = head.chain(hidden, mask)
    parts = (chain.emissions[0], chain.transitions, chain.starts, chain.ends)
    paths = all_paths(*(part.tolist() for part in parts))
    scores = []
    for path, score in paths.items():
        if all(map(consistent, tags, scheme.decode(path))):
            scores.append(score)
    expected = log_partition(paths) - log_total(scores)
    loss, certain = (
        float(head.loss(hidden, gold_of(gold, targets)["entities"][None], mask).detach())
        for gold in (one, dataclasses.replace(one, unannotated=()))
    )
    assert loss == pytest.approx(expected, abs=1e-9)
    assert loss < certain - 1e-3


def test_softmax_learns_nothing_from_an_uncertain_o() -> None:
    from onomast.taggers.neural.heads import _only_allowed

    targets = {"entities": EntityTags(TagScheme(("DATE", "PER"), "iob2"))}
    gold = _only_allowed(gold_of(sentence("Asha/B-PER alifika", unannotated=("DATE",)), targets)["entities"])
    assert gold.tolist() == [targets["entities"].scheme.ids["B-PER"], -1]
    head = SoftmaxHead(width=2, tags=5)
    hidden, mask = torch.randn(1, 2, 2, requires_grad=True), torch.ones(1, 2, dtype=torch.bool)
    head.loss(hidden, gold[None], mask).backward()
    assert hidden.grad is not None and hidden.grad[0, 1].abs().sum() == 0


@pytest.mark.parametrize(
    ("settings", "ours", "first", "second"),
    [
        (Sources(), 1, 1, 1),
        (Sources(mu=0.3), 3, 1, 1),
        (Sources(mu=2.6), 1, 3, 3),
        (Sources(mu=0.5, weights={"second": 2.0}), 2, 1, 2),
        (Sources(weights={"second": 0.0}), 1, 1, 0),
        (Sources(mu=0.0), 1, 0, 0),
    ],
)
def test_sentences_stand_there_as_often_as_they_count(settings: Sources, ours: int, first: int, second: int) -> None:
    sources = corpus("first", "b/B-X"), corpus("second", "c/B-X")
    made = repeated(dataclasses.replace(corpus("ours", "a/B-X"), sources=sources), settings)
    tokens = [one.tokens[0] for one in made]
    assert [tokens.count(name) for name in "abc"] == [ours, first, second]


@pytest.mark.parametrize("recipe", ["crf", "small"])
def test_label_sets_are_those_of_whole_sources_whatever_is_sampled_of_them(recipe: str) -> None:
    rare = corpus("theirs", *["ya tafi Kano/B-NEL"] * 30, "Bala/B-NEP ya tafi jiya/B-DATE")
    other = corpus("other", "Keza/B-NEQ")
    changes = {"labels": "{NEP = 'PER', NEL = 'LOC', NEQ = 'PER'}", "sources.limit": "3", "sources.weights.other": "0"}
    given = dataclasses.replace(TARGET, sources=(rare, other))
    (kept,) = with_sources(given, read_recipe(recipe, changes)).sources
    assert kept.labels == ("LOC",)  # what is to be shown: neither of the rare ones is in the sample
    assert {one.unannotated for one in kept.train} == {()}


def test_nothing_left_to_learn_from_is_an_error() -> None:
    with pytest.raises(RecipeError, match=r"sources\.mu: leaves out all"):
        repeated(Corpus("ours", (), sources=(SOURCE,)), Sources(mu=0.0))
    with pytest.raises(RecipeError, match=r"sources.mu: is -1"):
        repeated(TARGET, Sources(mu=-1.0))


def test_a_linear_tagger_learns_from_sources_and_says_what_it_cannot_take_in() -> None:
    given = align(TARGET, [SOURCE], {"NEP": "PER", "NEL": "LOC"}).corpus
    tagger = LinearTagger(read_recipe("crf"))
    history = tagger.fit(given)
    assert tagger.scheme.labels == ("DATE", "LOC", "PER")
    assert any("do not annotate DATE" in note for note in history.notes)
    (found,) = tagger.tag([Sentence(("Bala", "ya", "tafi", "Kano"))])
    assert found.tags is not None and found.tags[3] == "B-LOC"
    assert found.unannotated == ()
    alone = LinearTagger(read_recipe("crf"))
    alone.fit(TARGET)
    assert alone.tag([Sentence(("Bala", "ya", "tafi", "Kano"))])[0].tags != found.tags


def test_a_linear_tagger_learns_from_sources_alone_and_leaves_out_those_of_no_weight() -> None:
    other = corpus("other", "jiya/B-DATE Keza/B-PER")
    given = align(Corpus("none", ()), [SOURCE, other]).corpus
    tagger = LinearTagger(read_recipe("crf", {"sources.weights": "{other = 0.0}"}))
    tagger.fit(given)
    assert tagger.scheme.labels == ("NEL", "NEP", "NEX")


def run(*arguments: object) -> str:
    """Its error message; fails where there is none."""
    with pytest.raises(OnomastError) as error:
        CliRunner().invoke(app, ["train", *map(str, arguments)], catch_exceptions=False)
    return str(error.value)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    for name, given in (("ours", TARGET), ("theirs", SOURCE)):
        blocks = [
            "".join(f"{token} {tag}\n" for token, tag in zip(one.tokens, one.tags or (), strict=True))
            for one in given.train
        ]
        (tmp_path / f"{name}.conll").write_text("\n".join(blocks), encoding="utf-8")
    return tmp_path / "ours.conll", tmp_path / "theirs.conll"


def test_the_command_line_relabels_sources(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = files
    out = tmp_path / "model"
    given = ["train", ours, "--source", theirs, "--relabel", "NEP=PER", "--relabel", "NEL=LOC,NEX=", "--out", out]
    assert run_command(app, list(map(str, given))) == 0
    assert f"{theirs}: renamed NEL=LOC, NEP=PER; DATE not annotated" in capsys.readouterr().err
    assert LinearTagger.load(out).scheme.labels == ("DATE", "LOC", "PER")
    assert f"--source {theirs} --relabel NEP=PER,NEL=LOC,NEX=" in (out / "README.md").read_text(encoding="utf-8")


def test_a_recipe_relabels_and_the_command_line_wins(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = files
    recipe = tmp_path / "mine.toml"
    recipe.write_text('tagger = "linear"\n[labels]\nNEP = "PER"\nNEL = "PER"\n', encoding="utf-8")
    given = ["train", ours, "--source", theirs, "--recipe", recipe, "--relabel", "NEL=LOC", "--out", tmp_path / "m"]
    assert run_command(app, list(map(str, given))) == 0
    assert "renamed NEL=LOC, NEP=PER" in capsys.readouterr().err


def test_the_command_line_says_what_is_wrong_with_a_relabelling(files: tuple[Path, Path], tmp_path: Path) -> None:
    ours, theirs = files
    out = tmp_path / "model"
    assert "try --relabel NEL=LOC,NEP=PER" in run(ours, "--source", theirs, "--out", out)
    assert "did you mean 'NEP'?" in run(ours, "--source", theirs, "--relabel", "NEPP=PER", "--out", out)
    assert "there is no --source" in run(ours, "--relabel", "NEP=PER", "--out", out)
    assert "expected OLD=NEW" in run(ours, "--source", theirs, "--relabel", "NEP", "--out", out)
    assert not out.exists()


@pytest.mark.corpus
@pytest.mark.parametrize("language", ["Hindi", "Telugu"])
def test_indian_and_african_labels_find_each_other(corpora: Path, language: str) -> None:
    swahili = Corpus("swa", tuple(read(corpora / "masakhaner2" / "swa" / "train.txt")))
    indian = Corpus("ilner", tuple(read(corpora / "ilner" / f"{language}-train.txt")))
    assert propose(swahili, indian) == {"NEL": "LOC", "NEO": "ORG", "NEP": "PER", "NETI": "DATE"}
    with pytest.raises(DataError, match=r"try --relabel NEL=LOC,NEO=ORG,NEP=PER,NETI=DATE$"):
        align(swahili, [indian])


@pytest.mark.corpus
def test_two_label_sets_of_one_language_find_each_other(corpora: Path) -> None:
    ilner = Corpus("ilner", tuple(read(corpora / "ilner" / "Hindi-train.txt")))
    original, collapsed = (
        Corpus(name, tuple(read(corpora / "hiner" / name / "validation.conll"))) for name in ("original", "collapsed")
    )
    three = {"LOCATION": "NEL", "ORGANIZATION": "NEO", "PERSON": "NEP"}
    assert propose(ilner, collapsed) == three
    assert propose(ilner, original) == {**three, "NUMEX": "NEN", "TIMEX": "NETI"}


@pytest.mark.corpus
def test_english_without_dates_leaves_dates_open(corpora: Path) -> None:
    swahili = Corpus("swa", tuple(read(corpora / "masakhaner2" / "swa" / "train.txt")))
    english = Corpus("conll", tuple(read(corpora / "conll2003_en" / "eng.train")))
    made = align(swahili, [english])
    assert {one.unannotated for one in made.corpus.sources[0].train} == {("DATE",)}
    assert "DATE not annotated" in made.notes[0] and "4,593 tokens of MISC" in made.notes[0]
