"""Script conversion, token by token, so that tags stay: CONVERTERS at the foot.

One script for several languages lets a tagger meet a name of one of them in another. The tagger sees converted tokens;
`restored` gives its results the original ones back.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import regex

from onomast.corpus import Corpus
from onomast.data.transliteration.brahmic import BLOCKS, to_brahmic
from onomast.data.transliteration.urdu import to_devanagari
from onomast.errors import MissingExtra, OnomastError, RecipeError, nearest
from onomast.sentence import Sentence

_EXTRA = "scripts"
_REMEMBERED = 1 << 16  # tokens whose conversion is kept
# The names of scripts in indic-transliteration.
_SCHEMES = {
    "deva": "devanagari", "beng": "bengali", "guru": "gurmukhi", "gujr": "gujarati", "orya": "oriya", "taml": "tamil",
    "telu": "telugu", "knda": "kannada", "mlym": "malayalam", "latn": "iso",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Conversion:
    """A token in another script."""

    text: str
    """Never blank, unless the token was: one of which nothing is left stays as it was."""
    left: str = ""
    """Characters of `text` that stayed as they were, being of another script than asked for."""
    lost: str = ""
    """Characters of the token that another letter, or none, stands for, as the script has none of its own for them."""


Converter = Callable[[str], tuple[str, str]]
"""Token -> converted text, and the characters lost."""


def convert_token(token: str, script: str) -> Conversion:
    """The token in a script of CONVERTERS; the same token twice is looked up.

    White space in a token stays, and none is added. Raises OnomastError for an unknown script, MissingExtra for a
    library that is not installed.
    """
    if script not in CONVERTERS:
        raise OnomastError(_unknown(script))
    return _remembered(token, script)


@lru_cache(_REMEMBERED)
def _remembered(token: str, script: str) -> Conversion:
    text, lost = CONVERTERS[script](token)
    if not text.strip():
        return Conversion(token, left=token.strip())
    return Conversion(text, "".join(_foreign(script.partition(":")[0]).findall(text)), lost)


def converted(sentences: Sequence[Sentence], script: str) -> Sequence[Sentence]:
    """The sentences with converted tokens, all else untouched: text and offsets stay those of the original.

    An empty `script` converts nothing.
    """
    if not script:
        return sentences
    return [
        dataclasses.replace(sentence, tokens=tuple(convert_token(token, script).text for token in sentence.tokens))
        for sentence in sentences
    ]


def converted_corpus(corpus: Corpus, script: str) -> Corpus:
    """The corpus with converted tokens everywhere, its sources too. Raises RecipeError for an unknown script."""
    require_script(script)
    if not script:
        return corpus
    return dataclasses.replace(
        corpus,
        train=tuple(converted(corpus.train, script)),
        dev=tuple(converted(corpus.dev, script)),
        test=tuple(converted(corpus.test, script)),
        sources=tuple(converted_corpus(source, script) for source in corpus.sources),
    )


def restored(tagged: Iterable[Sentence], originals: Sequence[Sentence]) -> list[Sentence]:
    """Tagged sentences with the tokens of the originals, which stand in the same order."""
    return [
        new if new.tokens is old.tokens else dataclasses.replace(new, tokens=old.tokens)
        for new, old in zip(tagged, originals, strict=True)
    ]


def rewritten(sentence: Sentence, script: str) -> Sentence:
    """The sentence as if it had been written in the script: its text and offsets, too, are those of the new tokens.

    Where text or offsets are not known, neither are those of the new sentence; `text_start` is 0.
    """
    tokens = tuple(convert_token(token, script).text for token in sentence.tokens)
    if sentence.text is None or sentence.offsets is None:
        return dataclasses.replace(sentence, tokens=tokens, text=None, offsets=None, text_start=0)
    pieces: list[str] = []
    offsets: list[tuple[int, int]] = []
    reached = length = 0
    for token, (start, end) in zip(tokens, sentence.offsets, strict=True):
        between = sentence.text[reached : max(reached, start - sentence.text_start)]
        pieces += [between, token]
        offsets.append((length + len(between), length + len(between) + len(token)))
        length = offsets[-1][1]
        reached = end - sentence.text_start
    text = "".join([*pieces, sentence.text[reached:]])
    return dataclasses.replace(sentence, tokens=tokens, text=text, offsets=tuple(offsets), text_start=0)


def require_script(script: str) -> None:
    """Complain of a recipe's `script` before any work is done. Raises RecipeError."""
    if script and script not in CONVERTERS:
        raise RecipeError(_unknown(script), key="script")


def _unknown(script: str) -> str:
    return f"there is no script {script!r}; {nearest(script, CONVERTERS)}"


@cache
def _foreign(script: str) -> regex.Pattern[str]:
    """Characters of other scripts; punctuation, digits and marks that several scripts share are nobody's."""
    return regex.compile(rf"[^\p{{sc={script}}}\p{{sc=Common}}\p{{sc=Inherited}}]")


def _by_layout(script: str) -> Converter:
    """Brahmic scripts by the layout of their blocks; Urdu by way of Devanagari."""

    def convert(token: str) -> tuple[str, str]:
        text, lost = to_devanagari(token)
        text, more = to_brahmic(text, script)
        return text, lost + more

    return convert


def _by_library(script: str) -> Converter:
    """Brahmic scripts by indic-transliteration (Latin: ISO 15919); it does not say what is lost. Others stay."""

    def convert(token: str) -> tuple[str, str]:
        try:
            from indic_transliteration.sanscript import transliterate
        except ImportError:
            raise MissingExtra("indic-transliteration", _EXTRA) from None
        token = unicodedata.normalize("NFC", token)
        for source in BLOCKS:
            if source != script and _runs(source).search(token):
                token = _runs(source).sub(
                    lambda run, source=source: transliterate(run.group(), _SCHEMES[source], _SCHEMES[script]), token
                )
        return unicodedata.normalize("NFC", token), ""

    return convert


@cache
def _runs(script: str) -> regex.Pattern[str]:
    return regex.compile(rf"\p{{sc={script}}}[\p{{sc={script}}}\u0951-\u0954\u200c\u200d]*+")


def _to_latin(token: str) -> tuple[str, str]:
    """Any script to ASCII by anyascii, a character at a time; vowels that are not written (Devanagari's a) stay so.

    Bare alif is `a`; anyascii drops it.
    """
    if token.isascii():
        return token, ""
    try:
        from anyascii import anyascii
    except ImportError:
        raise MissingExtra("anyascii", _EXTRA) from None
    made: list[str] = []
    lost: list[str] = []
    for character in unicodedata.normalize("NFC", token):
        written = "a" if character == "ا" else anyascii(character)
        if character.isspace() or written != "".join(written.split()):
            written = character
        if not written:
            lost.append(character)
        made.append(written)
    return "".join(made), "".join(lost)


CONVERTERS: dict[str, Converter] = {
    "deva": _by_layout("deva"),
    "beng": _by_layout("beng"),
    "guru": _by_layout("guru"),
    "gujr": _by_layout("gujr"),
    "orya": _by_layout("orya"),
    "taml": _by_layout("taml"),
    "telu": _by_layout("telu"),
    "knda": _by_layout("knda"),
    "mlym": _by_layout("mlym"),
    "latn": _to_latin,
    "deva:indic": _by_library("deva"),
    "beng:indic": _by_library("beng"),
    "guru:indic": _by_library("guru"),
    "gujr:indic": _by_library("gujr"),
    "orya:indic": _by_library("orya"),
    "taml:indic": _by_library("taml"),
    "telu:indic": _by_library("telu"),
    "knda:indic": _by_library("knda"),
    "mlym:indic": _by_library("mlym"),
    "latn:indic": _by_library("latn"),
}
"""Script (its code in ISO 15924, small) -> converter. `:indic`: by the library indic-transliteration."""
