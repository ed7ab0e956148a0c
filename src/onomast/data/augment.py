"""Training sentences -> more training sentences; dev and test are never touched: AUGMENTERS."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from onomast.corpus import Corpus
from onomast.data.phrase_matching import lengths_of, longest_matches
from onomast.errors import RecipeError
from onomast.recipe import Augment
from onomast.sentence import Sentence, Span
from onomast.tags import Tag, tags_of


@dataclass(frozen=True, order=True)
class DictionaryEntry:
    """One entity of a dictionary: its words, and their part-of-speech tags where they are known."""

    tokens: tuple[str, ...]
    pos: tuple[str, ...] = ()


Augmenter = Callable[[Sequence[Sentence], Augment, random.Random], list[Sentence]]


def augment(corpus: Corpus, settings: Augment, seed: int = 0) -> Corpus:
    """The corpus with new training sentences after its own, as every augmenter makes them from its own alone.

    Give it the corpus after dev sentences were set aside. Raises RecipeError for settings that cannot be used.
    """
    new: list[Sentence] = []
    for name, augmenter in AUGMENTERS.items():
        if getattr(settings, name) < 0:
            raise RecipeError(f"is {getattr(settings, name)}; expected 0 (off) or more", key=f"augment.{name}")
        if getattr(settings, name):
            new += augmenter(corpus.train, settings, random.Random(f"{name} {seed}"))
    return dataclasses.replace(corpus, train=(*corpus.train, *new)) if new else corpus


def entries_of(sentences: Sequence[Sentence], settings: Augment) -> dict[str, list[DictionaryEntry]]:
    """The dictionary: for each label the entities of the sentences and of the files, each once, sorted.

    Raises RecipeError for a file that cannot be read.
    """
    found: dict[str, set[DictionaryEntry]] = {}
    for sentence in sentences:
        for span in _whole_spans(sentence):
            pos = () if sentence.pos is None else sentence.pos[span.start : span.end]
            found.setdefault(span.label, set()).add(DictionaryEntry(sentence.tokens[span.start : span.end], pos))
    for label, file in settings.lists.items():
        try:
            lines = Path(file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            key = f"augment.lists.{label}"
            raise RecipeError(f"{file} cannot be read ({error}); expected UTF-8, an entry a line", key=key) from None
        known = {entry.tokens for entry in found.get(label, ())}
        listed = {tuple(line.split()) for line in lines if line.strip()} - known
        found.setdefault(label, set()).update(map(DictionaryEntry, listed))
    return {label: sorted(entries) for label, entries in sorted(found.items())}


def replaced(sentences: Sequence[Sentence], settings: Augment, rng: random.Random) -> list[Sentence]:
    """`dictionary` new sentences: each a drawn one with every entity replaced by a drawn entry of its label."""
    entries = entries_of(sentences, settings)
    templates = [sentence for sentence in sentences if any(True for _ in _whole_spans(sentence))]
    if not templates:
        return []
    return [_with_entries(rng.choice(templates), entries, rng) for _ in range(settings.dictionary)]


def labelled(sentences: Sequence[Sentence], settings: Augment, rng: random.Random) -> list[Sentence]:
    """At most `label` of the sentences without tags, drawn, with the tags of the dictionary's entries in them.

    The longest entry first, from the left, with the label that the entry has most often (Kruengkrai et al. 2020,
    section 3.4). Sentences in which none is found are left out.
    """
    counts: dict[tuple[str, ...], Counter[str]] = {}
    for label, entries in entries_of(sentences, settings).items():
        for entry in entries:
            counts.setdefault(entry.tokens, Counter())[label] += 0
    for sentence in sentences:
        for span in _whole_spans(sentence):
            counts[sentence.tokens[span.start : span.end]][span.label] += 1
    best = {tokens: min(labels, key=lambda label: (-labels[label], label)) for tokens, labels in counts.items()}
    lengths = lengths_of(best)
    pool = [sentence for sentence in sentences if sentence.tags is None and len(sentence)]
    labelled_sentences: list[Sentence] = []
    for sentence in rng.sample(pool, len(pool)):
        if len(labelled_sentences) == settings.label:
            break
        matches = longest_matches(sentence.tokens, best, lengths)
        spans = [Span(start, end, best[sentence.tokens[start:end]]) for start, end in matches]
        if spans:
            labelled_sentences.append(sentence.tagged(tags_of(spans, len(sentence))))
    return labelled_sentences


def oversampled(sentences: Sequence[Sentence], settings: Augment, rng: random.Random) -> list[Sentence]:
    """Sentences with rare labels once more, or several times.

    A label in a share f of the sentences with tags wants its sentences max(1, sqrt(oversample / f)) times; a sentence
    follows its rarest label; fractions are drawn (repeat factors of Gupta et al. 2019, section 5.1).
    """
    tagged = [sentence for sentence in sentences if sentence.tags is not None]
    counts = Counter(label for sentence in tagged for label in {span.label for span in sentence.spans})
    repeated: list[Sentence] = []
    for sentence in tagged:
        rarest = min((counts[span.label] for span in sentence.spans), default=len(tagged))
        more = max(1.0, (settings.oversample * len(tagged) / rarest) ** 0.5) - 1
        repeated += [sentence] * (int(more) + (rng.random() < more % 1))
    return repeated


def _whole_spans(sentence: Sentence) -> Iterator[Span]:
    """The entities that do not touch a token that is not annotated, and so are known to be whole."""
    for span in sentence.spans:
        if sentence.tags is not None and None not in sentence.tags[max(0, span.start - 1) : span.end + 1]:
            yield span


def _with_entries(sentence: Sentence, entries: dict[str, list[DictionaryEntry]], rng: random.Random) -> Sentence:
    """A copy with every whole entity replaced; without POS where those of an entry cannot be known."""
    tokens, tags = list(sentence.tokens), list(sentence.tags or ())
    pos = None if sentence.pos is None else list(sentence.pos)
    for span in reversed(list(_whole_spans(sentence))):
        entry = rng.choice(entries[span.label])
        place, length = slice(span.start, span.end), len(entry.tokens)
        tokens[place] = entry.tokens
        inside: list[Tag] = [f"B-{span.label}", *[f"I-{span.label}"] * (length - 1)]
        tags[place] = inside
        if pos is not None and entry.pos:
            pos[place] = entry.pos
        elif length != span.end - span.start:
            pos = None
    return dataclasses.replace(
        sentence, tokens=tuple(tokens), tags=tuple(tags), pos=None if pos is None else tuple(pos),
        confidence=None, offsets=None, text=None, text_start=0, triggers=(),
    )  # fmt: skip


AUGMENTERS: dict[str, Augmenter] = {"dictionary": replaced, "label": labelled, "oversample": oversampled}
