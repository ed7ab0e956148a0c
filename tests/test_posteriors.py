"""Probabilities of paths, entities and counts of entities: against the enumeration of all legal paths."""

from __future__ import annotations

import dataclasses
import math

import pytest

from onomast import Corpus, Sentence, Span, new_tagger, read_recipe
from onomast.data.catalogue import resolve
from onomast.data.formats.registry import read
from onomast.taggers.linear.tagger import LinearTagger
from onomast.taggers.posteriors import Stretch, posteriors, stretch_probabilities
from onomast.tags import TagScheme
from oracles import paths

TOKENS = ("Asha", "alizaliwa", "Mombasa", "leo")


@pytest.fixture(scope="module", params=["iob2", "iobes"])
def tagger(request: pytest.FixtureRequest) -> LinearTagger:
    train = [s for s in read(resolve("sample:swahili-news/train")) if s.spans][:60]
    kept = [
        dataclasses.replace(s, tags=tuple("O" if t and t[2:] not in ("LOC", "PER") else t for t in s.tags or ()))
        for s in train
    ]  # two labels: few enough paths to enumerate
    fitted = new_tagger(read_recipe("crf", {"scheme": request.param}))
    fitted.fit(Corpus("sample", tuple(kept)))
    assert isinstance(fitted, LinearTagger)
    return fitted


def enumerate_paths(tagger: LinearTagger) -> tuple[TagScheme, tuple[str, ...], dict[tuple[int, ...], float]]:
    """Probability of every legal path of TOKENS."""
    chain = tagger.chain_scores([Sentence(TOKENS)])
    decoder = chain.decoder
    transitions = [
        [float(decoder.transitions[a, b]) if decoder.legal[a, b] else -math.inf for b in range(len(chain.tags))]
        for a in range(len(chain.tags))
    ]
    ends = [[0.0 if legal else -math.inf for legal in row] for row in (decoder.starts, decoder.ends)]
    scores = paths.all_paths(chain.scores[0].tolist(), transitions, ends[0], ends[1])
    total = paths.log_total(list(scores.values()))
    probabilities = {path: math.exp(score - total) for path, score in scores.items()}
    return TagScheme(("LOC", "PER"), chain.style), chain.tags, probabilities


def test_figures_equal_those_of_all_paths(tagger: LinearTagger) -> None:
    scheme, tags, probabilities = enumerate_paths(tagger)
    decoded = {
        path: Sentence(TOKENS, scheme.decode([scheme.ids[tags[i]] for i in path])).spans for path in probabilities
    }
    one = posteriors(tagger, [Sentence(TOKENS)])[0]
    best = max(probabilities, key=probabilities.__getitem__)
    assert one.tagged.spans == decoded[best]
    assert math.exp(one.path_log_probability) == pytest.approx(probabilities[best], rel=1e-6)
    assert one.normalised_path_probability == pytest.approx(probabilities[best] ** (1 / len(TOKENS)))
    expected = sum(p * len(decoded[path]) for path, p in probabilities.items())
    assert one.expected_entities == pytest.approx(expected, rel=1e-6)
    spans = [Span(0, 1, "PER"), Span(2, 3, "LOC"), Span(1, 3, "LOC"), Span(0, 4, "PER"), Span(0, 1, "NEW")]
    found = stretch_probabilities(tagger, [Sentence(TOKENS)], [[Stretch.of(span) for span in spans]])[0]
    for span, probability in zip(spans, found, strict=True):
        exact = sum(p for path, p in probabilities.items() if span in decoded[path])
        assert probability == pytest.approx(exact, rel=1e-6, abs=1e-12)
    stretch = Stretch(0, 3, (Span(0, 1, "PER"),))
    exact = sum(
        p for path, p in probabilities.items() if [s for s in decoded[path] if s.start < 3] == [Span(0, 1, "PER")]
    )
    assert stretch_probabilities(tagger, [Sentence(TOKENS)], [[stretch]])[0][0] == pytest.approx(exact, rel=1e-6)


def test_a_batch_gives_what_single_sentences_give(tagger: LinearTagger) -> None:
    sentences = [Sentence(TOKENS), Sentence(()), Sentence(TOKENS[:1]), Sentence((*TOKENS, *TOKENS))]
    together = posteriors(tagger, sentences)
    for sentence, one in zip(sentences, together, strict=True):
        alone = posteriors(tagger, [sentence])[0]
        assert one.expected_entities == pytest.approx(alone.expected_entities)
        assert one.path_log_probability == pytest.approx(alone.path_log_probability)
    assert together[1].normalised_path_probability == 1.0


def test_any_tagger_has_estimates(tagger: LinearTagger) -> None:
    class Other:
        """A tagger of another kind: only `tag` may be asked."""

        def tag(self, sentences: list[Sentence]) -> list[Sentence]:
            return tagger.tag(sentences)

    sentence = Sentence(TOKENS)
    estimated = posteriors(Other(), [sentence])[0]  # type: ignore[arg-type]
    assert estimated.path_log_probability <= 0
    spans = [Stretch.of(Span(0, 1, "PER")), Stretch.of(Span(1, 3, "LOC")), Stretch(1, 3)]
    exact, guessed = (stretch_probabilities(one, [sentence], [spans])[0] for one in (tagger, Other()))  # type: ignore[list-item]
    for right, upper in zip(exact, guessed, strict=True):
        assert right <= upper + 1e-9  # an upper bound: one tag's probability is no less than that of them all
