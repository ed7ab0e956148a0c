"""Suspects and what to label next: on made-up data with known faults, and with cleanlab's scores as an oracle."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from made_up import labelled
from onomast import Corpus, OnomastError, Sentence, Span, new_tagger, read_recipe, write
from onomast.active import folds, ordering, suspects
from onomast.cli.main import app
from onomast.taggers.posteriors import Posterior, token_probabilities


def with_faults() -> tuple[list[Sentence], set[int]]:
    """Made-up sentences, every tenth of those with an entity spoilt: none at all, or another label."""
    sentences = list(labelled(120))
    wrong = set()
    for number, index in enumerate([i for i, one in enumerate(sentences) if one.spans][5::10]):
        old = sentences[index].spans[0]
        tags = list(sentences[index].tags or ())
        other = next(label for label in ("PER", "LOC") if label != old.label)
        tags[old.start : old.end] = (
            ["O"] * (old.end - old.start) if number % 2 else [f"B-{other}", *[f"I-{other}"] * (old.end - old.start - 1)]
        )
        sentences[index] = dataclasses.replace(sentences[index], tags=tuple(tags))
        wrong.add(index)
    return sentences, wrong


def test_faults_come_first() -> None:
    sentences, wrong = with_faults()
    found = suspects.suspects(sentences, folds=4)
    assert {one.sentence for one in found[: len(wrong)]} == wrong
    assert all(0.5 <= one.suspicion <= 1 for one in found)
    kinds = {one.kind for one in found[: len(wrong)]}
    assert kinds == {"missed", "label"}
    assert all((one.given == "O") == (one.kind == "missed") for one in found)


def test_suspicion_of_single_tokens_is_that_of_cleanlab() -> None:
    rank = pytest.importorskip("cleanlab.token_classification.rank", reason="cleanlab is not installed")
    sentences = [
        Sentence(one.tokens[span.start : span.start + 1], (f"B-{span.label}",))
        for one in with_faults()[0]
        for span in one.spans
    ]
    found: list[suspects.Suspect] = []
    scores: list[float] = []
    for fold in folds.out_of_fold(sentences, read_recipe("crf"), 3):
        found += suspects.suspects_of_fold(sentences, fold)
        block = sentences[fold.start : fold.end]
        tags, probabilities = token_probabilities(fold.tagger, block)  # type: ignore[arg-type]
        given = [[tags.index((one.tags or ())[0] or "O")] for one in block]
        scores += [
            float(row[0]) for row in rank.get_label_quality_scores(given, [np.array(p) for p in probabilities])[1]
        ]
    assert found
    for one in found:
        assert 1.0 - one.suspicion == pytest.approx(scores[one.sentence], abs=1e-6)


def test_blocks_are_contiguous_and_keep_documents_whole(tmp_path: Path) -> None:
    rows = []
    for number in range(12):
        rows.append("-DOCSTART-\tO\n")
        rows += [f"Asha{number}\tB-PER\nanakuja\tO\n"] * (1 + number % 3)
    path = tmp_path / "documents.conll"
    path.write_text("\n".join(rows), encoding="utf-8")
    from onomast import read

    sentences = read(path)
    starts = folds.document_starts(sentences)
    assert len(starts) == 12
    assert set(folds.blocks(sentences, 4)) <= {*starts, len(sentences)}
    assert folds.blocks(labelled(40), 4)[0] == 0 and folds.blocks(labelled(40), 4)[-1] == 40


def rating(words: str, gain: float, begins: float = 0.9) -> ordering.Rating:
    tokens = tuple(words.split())
    sentence = Sentence(tokens).tagged(["O"] * len(tokens), [0.9] * len(tokens))
    return ordering.Rating(Posterior(sentence, -1.0, (begins,) * len(tokens)), gain)


def test_near_duplicates_come_last_and_repeated_names_later() -> None:
    ratings = [rating("a b c d e", 3.0), rating("a b c d f", 2.9), rating("a x y", 1.0), rating("p q r", 0.95)]
    chosen = ordering.choose(ratings, 4, random_share=0.0)
    assert [one.index for one in chosen] == [0, 3, 2, 1]
    plain = ordering.choose(ratings, 4, random_share=0.0, varied=False)
    assert [one.index for one in plain] == [0, 1, 2, 3]
    labelled_before = [Sentence(("p", "q", "r"))]
    assert ordering.choose(ratings, 4, random_share=0.0, labelled=labelled_before)[-1].index == 3


def test_a_fifth_is_random_and_independent_of_the_gain() -> None:
    ratings = [rating(f"w{i} v{i} u{i}", i) for i in range(100)]
    chosen = ordering.choose(ratings, 50, seed=3)
    drawn = [one.index for one in chosen if one.is_random]
    assert len(chosen) == 50 and len({one.index for one in chosen}) == 50
    assert len(drawn) == 10 and min(drawn) < 50
    assert any(one.is_random for one in chosen[:6])  # spread, not at the end
    again = ordering.choose([rating(f"w{i} v{i} u{i}", -i) for i in range(100)], 50, seed=3)
    assert [one.index for one in again if one.is_random] == drawn


def test_orders_that_compare_taggers() -> None:
    sentences = labelled(60)
    taggers = []
    for part in (sentences[:20], sentences):
        taggers.append(new_tagger(read_recipe("crf")))
        taggers[-1].fit(Corpus("part", part))
    pool = [one.bare() for one in labelled(20, seed=5)]
    for order in ("disagreement", "fluctuation"):
        ratings = ordering.rate(order, pool, taggers[1], [taggers[0]])  # type: ignore[arg-type]
        differ = [a.tags != b.tags for a, b in zip(*(one.tag(pool) for one in taggers), strict=True)]
        assert [one.gain > 0 for one in ratings] == differ
        with pytest.raises(OnomastError, match="give another"):
            ordering.rate(order, pool, taggers[1])  # type: ignore[arg-type]
    two = ordering._vote_entropy([Sentence(("a",), ("O",)), Sentence(("a",), ("B-PER",))])
    assert two == pytest.approx(1.0) and not math.isnan(ordering._vote_entropy([Sentence((), ()), Sentence((), ())]))


def test_the_commands(tmp_path: Path) -> None:
    sentences, _ = with_faults()
    write(sentences, tmp_path / "data.conll")
    shown = CliRunner().invoke(app, ["suspects", str(tmp_path / "data.conll"), "--folds", "3", "--limit", "3"])
    assert shown.exit_code == 0 and "data.conll:" in shown.output and "more (--limit 0" in shown.output
    printed = CliRunner().invoke(
        app, ["suspects", str(tmp_path / "data.conll"), "--folds", "3", "--json", str(tmp_path / "s.json")]
    )
    assert printed.exit_code == 0
    assert {"source", "given", "suggestion", "suspicion"} <= set(json.loads((tmp_path / "s.json").read_text())[0])
    model = tmp_path / "model"
    tagger = new_tagger(read_recipe("crf"))
    tagger.fit(Corpus("made up", labelled(60)))
    tagger.save(model)
    raw = tmp_path / "raw.txt"
    raw.write_text("\n".join(" ".join(one.tokens) + " ." for one in labelled(80, seed=9)), encoding="utf-8")
    chosen = CliRunner().invoke(
        app, ["active", str(model), str(raw), "--count", "7", "--json", str(tmp_path / "a.json")]
    )
    assert chosen.exit_code == 0, chosen.output
    rows = json.loads((tmp_path / "a.json").read_text())
    assert len(rows) == 7 and sum(row["random"] for row in rows) == 1
    assert all(row["source"].startswith(str(raw)) for row in rows)
    refused = CliRunner().invoke(app, ["active", str(model), str(raw), "--order", "gian"])
    assert isinstance(refused.exception, OnomastError) and "gain" in str(refused.exception)


def test_spans_of_a_suspect_replace_its_tokens() -> None:
    sentences, wrong = with_faults()
    one = suspects.suspects(sentences, folds=4)[0]
    assert all(one.start <= span.start < span.end <= one.end for span in one.spans)
    assert Span(0, 1, "PER") != Span(0, 1, "LOC") and one.sentence in wrong
