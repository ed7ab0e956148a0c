"""How alike two corpora are: what is counted of each (`Profile`), and features in [0, 1] of a pair.

Nothing is trained and no language is known here; `ranking.py` makes one score of the features.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from onomast.sentence import Sentence

NGRAMS = (2, 3, 4)  # lengths of the letter sequences; the borders of a word count as letters
_BORDERS = "<{}>"
_Key = TypeVar("_Key", str, tuple[str, str])


@dataclass(frozen=True)
class Profile:
    """Counts of a corpus. Words are lower-cased (NFC) tokens with a letter; entities are (string, label)."""

    sentences: int
    tokens: int
    words: Mapping[str, int]
    ngrams: Mapping[str, int]
    """Letter sequences of the running words."""
    scripts: Mapping[str, int]
    """Letters by script."""
    capitals: tuple[int, int]
    """Words that begin with a capital, of all words; the first of a sentence left out."""
    entities: Mapping[tuple[str, str], int]
    names: Mapping[tuple[str, str], int]
    """Words of entities, with the label."""
    others: Mapping[str, int]
    """Words outside of entities."""
    name_ngrams: Mapping[tuple[str, str], int]
    contexts: Mapping[tuple[str, str], int]
    """The word before an entity, with the label of the entity."""
    labels: Mapping[str, int]
    entity_tokens: int
    name_capitals: tuple[int, int]
    """As `capitals`, of the words of entities alone."""


def profile_of(sentences: Sequence[Sentence]) -> Profile:
    """Count once what all features need; sentences without tags count for what needs none."""
    tokens: Counter[str] = Counter()
    inner: Counter[str] = Counter()  # all but the first word of a sentence
    mentions: Counter[tuple[tuple[str, ...], str]] = Counter()
    before: Counter[tuple[str, str]] = Counter()
    inner_names: Counter[str] = Counter()
    for sentence in sentences:
        tokens.update(sentence.tokens)
        inner.update(sentence.tokens[1:])
        for span in sentence.spans:
            mentions[sentence.tokens[span.start : span.end], span.label] += 1
            inner_names.update(sentence.tokens[max(span.start, 1) : span.end])
            if span.start:
                before[sentence.tokens[span.start - 1], span.label] += 1
    words = _words(tokens)
    names: Counter[tuple[str, str]] = Counter()
    labels: Counter[str] = Counter()
    for (mention, label), count in mentions.items():
        labels[label] += count
        for word in filter(_has_letter, mention):
            names[_plain(word), label] += count
    return Profile(
        sentences=len(sentences),
        tokens=tokens.total(),
        words=words,
        ngrams=_ngrams(words),
        scripts=_scripts(words),
        capitals=_capitals(inner),
        entities=_plain_pairs({(" ".join(mention), label): count for (mention, label), count in mentions.items()}),
        names=names,
        others=_others(words, names),
        name_ngrams=_name_ngrams(names),
        contexts=_plain_pairs(before),
        labels=labels,
        entity_tokens=sum(len(mention) * count for (mention, _), count in mentions.items()),
        name_capitals=_capitals(inner_names),
    )


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).lower()


def _has_letter(word: str) -> bool:
    return any(map(str.isalpha, word))


def _words(tokens: Mapping[str, int]) -> Counter[str]:
    words: Counter[str] = Counter()
    for token, count in tokens.items():
        if _has_letter(token):
            words[_plain(token)] += count
    return words


def _others(words: Mapping[str, int], names: Mapping[tuple[str, str], int]) -> Counter[str]:
    others = Counter(words)
    for (word, _), count in names.items():
        others[word] -= count
    return +others


def _plain_pairs(pairs: Mapping[tuple[str, str], int]) -> Counter[tuple[str, str]]:
    plain: Counter[tuple[str, str]] = Counter()
    for (text, label), count in pairs.items():
        plain[_plain(text), label] += count
    return plain


def _capitals(tokens: Mapping[str, int]) -> tuple[int, int]:
    letters = {token: count for token, count in tokens.items() if _has_letter(token)}
    return sum(count for token, count in letters.items() if token[0].isupper()), sum(letters.values())


def _ngrams(words: Mapping[str, int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for word, count in words.items():
        for gram in _grams_of(word):
            found[gram] += count
    return found


def _name_ngrams(names: Mapping[tuple[str, str], int]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for (word, label), count in names.items():
        for gram in _grams_of(word):
            found[gram, label] += count
    return found


def _grams_of(word: str) -> list[str]:
    text = _BORDERS.format(word)
    return [text[start : start + size] for size in NGRAMS for start in range(len(text) - size + 1)]


def _scripts(words: Mapping[str, int]) -> Counter[str]:
    letters: Counter[str] = Counter()
    for word, count in words.items():
        for letter in word:
            letters[letter] += count
    scripts: Counter[str] = Counter()
    for letter, count in letters.items():
        script = _script(letter)
        if script:
            scripts[script] += count
    return scripts


@lru_cache(maxsize=1 << 16)
def _script(letter: str) -> str:
    """The first word of the character's Unicode name, which names its script; empty where it is no letter."""
    if unicodedata.category(letter) not in ("Ll", "Lu", "Lt", "Lo"):
        return ""
    return unicodedata.name(letter, "").split(" ")[0]


# Values of features: each takes the target's and the source's profile, and returns a number in [0, 1].


def _share(wanted: Mapping[_Key, int], known: Mapping[_Key, int]) -> float:
    """Share of the occurrences in `wanted` whose key is `known`; 0 where nothing is wanted."""
    total = sum(wanted.values())
    return sum(count for key, count in wanted.items() if key in known) / total if total else 0.0


def _common(first: Mapping[_Key, int], second: Mapping[_Key, int]) -> float:
    """What two distributions have in common: the sum over keys of the lesser of the two shares."""
    sizes = sum(first.values()), sum(second.values())
    if not all(sizes):
        return 0.0
    # Products of whole numbers: the sum does not depend on the order of the keys.
    common = sum(min(count * sizes[1], second.get(key, 0) * sizes[0]) for key, count in first.items())
    return common / (sizes[0] * sizes[1])


def _ratio(first: float, second: float) -> float:
    """The lesser over the greater; 1 where both are 0."""
    return min(first, second) / max(first, second) if max(first, second) else 1.0


def _part(counts: tuple[int, int]) -> float:
    return counts[0] / counts[1] if counts[1] else 0.0


def _types(target: Profile, source: Profile) -> float:
    return len(target.words.keys() & source.words.keys()) / len(target.words) if target.words else 0.0


def _size(target: Profile, source: Profile) -> float:
    """The logistic function of the logarithm of the size ratio."""
    return source.tokens / (source.tokens + target.tokens) if source.tokens else 0.0


def _length(target: Profile, source: Profile) -> float:
    return _ratio(target.tokens / max(target.sentences, 1), source.tokens / max(source.sentences, 1))


def _density(target: Profile, source: Profile) -> float:
    return _ratio(target.entity_tokens / max(target.tokens, 1), source.entity_tokens / max(source.tokens, 1))


def _capital_habits(target: Profile, source: Profile) -> float:
    return _ratio(_part(target.capitals), _part(source.capitals))


def _name_capital_habits(target: Profile, source: Profile) -> float:
    return _ratio(_part(target.name_capitals), _part(source.name_capitals))


def _agreement(target: Profile, source: Profile) -> float:
    """Of the words that both have: how probable the target's label (or none) is in the source; 0 where none is shared.

    The mean over the target's entity words and its other words, so that those, the most, do not drown these.
    """
    parts = []
    for counts in (target.names, {(word, ""): count for word, count in target.others.items()}):
        shared = {key: count for key, count in counts.items() if key[0] in source.words}
        same = math.fsum(count * _probability(key, source) for key, count in shared.items())
        if shared:
            parts.append(same / sum(shared.values()))
    return math.fsum(parts) / len(parts) if parts else 0.0


def _probability(key: tuple[str, str], source: Profile) -> float:
    """Of a word's occurrences in the source, the share under this label, or outside of entities (an empty label)."""
    word, label = key
    return (source.names.get(key, 0) if label else source.others.get(word, 0)) / source.words[word]


@dataclass(frozen=True)
class Feature:
    """One thing in which a source can be like a target."""

    value: Callable[[Profile, Profile], float]
    """(target, source) -> [0, 1]; 1 is alike."""
    words: str
    """What the two share, in words; `{}` stands for the value in percent."""
    is_labelled: bool = False
    """It needs labels of the target."""


FEATURES: Mapping[str, Feature] = {
    "entities": Feature(
        lambda target, source: _share(target.entities, source.entities), "{} of the entity strings", True
    ),
    "names": Feature(lambda target, source: _share(target.names, source.names), "{} of the words in entities", True),
    "name_ngrams": Feature(
        lambda target, source: _common(target.name_ngrams, source.name_ngrams), "entities spelt {} alike", True
    ),
    "agreement": Feature(_agreement, "shared words labelled {} alike", True),
    "contexts": Feature(
        lambda target, source: _share(target.contexts, source.contexts),
        "{} of the words before entities",
        True,
    ),
    "words": Feature(lambda target, source: _share(target.words, source.words), "{} of the running words"),
    "types": Feature(_types, "{} of the distinct words"),
    "ngrams": Feature(lambda target, source: _common(target.ngrams, source.ngrams), "words spelt {} alike"),
    "scripts": Feature(lambda target, source: _common(target.scripts, source.scripts), "{} of the script"),
    "labels": Feature(lambda target, source: _share(target.labels, source.labels), "{} of the labels in use", True),
    "mix": Feature(lambda target, source: _common(target.labels, source.labels), "labels mixed {} alike", True),
    "density": Feature(_density, "entities per word {} alike", True),
    "length": Feature(_length, "sentence length {} alike"),
    "size": Feature(_size, "{} of the joint size"),
    "capitals": Feature(_capital_habits, "capitals {} alike"),
    "name_capitals": Feature(_name_capital_habits, "capitals of entities {} alike", True),
}


def features_of(target: Profile, source: Profile) -> dict[str, float]:
    """All features of a pair; those that need labels only where the target has any."""
    return {
        name: min(max(feature.value(target, source), 0.0), 1.0)
        for name, feature in FEATURES.items()
        if target.labels or not feature.is_labelled
    }
