"""Urdu (Arabic script) to Devanagari, letter by letter, by what stands before and after.

The letters follow the tables of Malik, Boitet and Bhattacharyya (2008, Hindi Urdu Machine Transliteration using
Finite-state Transducers); the rules for alif, vav and ye are our own, simple ones. Limits: short vowels are hardly ever
written, so they are missing (`हनदोसतान` for `हिंदुस्तान`); vav after a consonant is read as o and ye as a long i, which
may be u, au, e or ai (`मीं` for `में`); letters of one sound fall together, as they do in Hindi.
"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum

_CONSONANTS = {
    "ب": "ब", "پ": "प", "ت": "त", "ٹ": "ट", "ث": "स", "ج": "ज", "چ": "च", "ح": "ह", "خ": "ख़", "د": "द", "ڈ": "ड",
    "ذ": "ज़", "ر": "र", "ڑ": "ड़", "ز": "ज़", "ژ": "झ़", "س": "स", "ش": "श", "ص": "स", "ض": "ज़", "ط": "त", "ظ": "ज़",
    "غ": "ग़", "ف": "फ़", "ق": "क़", "ک": "क", "گ": "ग", "ل": "ल", "م": "म", "ن": "न", "ہ": "ह", "ۂ": "ह", "ۀ": "ह",
    "ۃ": "त",
    "بھ": "भ", "پھ": "फ", "تھ": "थ", "ٹھ": "ठ", "جھ": "झ", "چھ": "छ", "دھ": "ध", "ڈھ": "ढ", "ڑھ": "ढ़", "کھ": "ख",
    "گھ": "घ",
    "اً": "न", "ً": "न",
}  # fmt: skip
# After a pause, after a consonant, after a vowel.
_VOWELS = {
    "آ": ("आ", "ा", "आ"),
    "ا": ("अ", "ा", "आ"),
    "ع": ("अ", "ा", ""),
    "عا": ("आ", "ा", "आ"),
    "عی": ("ई", "ई", "ई"),
    "َ": ("अ", "", ""),
    "ِ": ("इ", "ि", "इ"),
    "ُ": ("उ", "ु", "उ"),
    "ِی": ("ई", "ी", "ई"),
    "ُو": ("ऊ", "ू", "ऊ"),
    "َو": ("औ", "ौ", "औ"),
    "َی": ("ऐ", "ै", "ऐ"),
    "َے": ("ऐ", "ै", "ऐ"),
    "و": ("ओ", "ो", "ओ"),
    "ی": ("ई", "ी", "ई"),
    "یٰ": ("आ", "ा", "आ"),
    "ٰ": ("आ", "ा", ""),
    "ے": ("ए", "े", "ए"),
    "ۓ": ("ए", "ए", "ए"),
    "ئ": ("इ", "इ", "इ"),
    "ئی": ("ई", "ई", "ई"),
    "ئے": ("ए", "ए", "ए"),
    "ؤ": ("ओ", "ओ", "ओ"),
}
# Alif as the bearer of a word's first vowel.
_FIRST = {
    "او": "औ", "ای": "ए", "اے": "ए", "اِ": "इ", "اُ": "उ", "اَ": "अ", "اِی": "ई", "اُو": "ऊ", "اَو": "औ", "اَی": "ऐ",
    "عو": "औ", "عِ": "इ", "عُ": "उ",
}  # fmt: skip
_GLIDES = {"و": "व", "ی": "य"}
# Vav and ye are consonants where a vowel follows: ye before vav only where that vav is a vowel itself.
_BEFORE_VOWEL = {"و": re.compile("[اآےی]"), "ی": re.compile("[اآے]|و(?![اآےی])")}
_OTHERS = {
    "،": ",", "؛": ";", "؟": "?", "۔": "।", "٪": "%", "٭": "*", "٫": ".", "٬": ",",
    **{digit: chr(0x966 + value) for digits in ("۰۱۲۳۴۵۶۷۸۹", "٠١٢٣٤٥٦٧٨٩") for value, digit in enumerate(digits)},
}  # fmt: skip
_ASPIRATE, _NASAL, _DOUBLE, _NO_VOWEL = "ھ", "ں", "ّ", "ْ"
_SILENT = frozenset("ءٕٓٔٴـٌٍ")
_SAME_SOUND = frozenset("ثحذصضطظعۂۀۃ")  # written with the letter of another of Urdu's letters
# Arabic spellings of Urdu's letters; hamza above a ye; the mark of doubling before that of the vowel.
_VARIANTS = str.maketrans({"ك": "ک", "ي": "ی", "ى": "ی", "ه": "ہ", "ة": "ۃ", "أ": "ا", "ٱ": "ا", "إ": "اِ", "ە": "ہ"})
_DOUBLE_LAST = re.compile("([ًَُِ])ّ")
_UNITS = {*_CONSONANTS, *_VOWELS, *_FIRST, *_OTHERS, *_SILENT, _ASPIRATE, _NASAL, _DOUBLE, _NO_VOWEL}
_UNIT = re.compile("|".join([*sorted(_UNITS, key=lambda unit: (-len(unit), unit)), "."]), re.DOTALL)
_ARABIC = re.compile("[\u0600-\u06ff\u0750-\u077f]")


class _After(Enum):
    """What was written last."""

    PAUSE = 0
    CONSONANT = 1
    VOWEL = 2


def to_devanagari(token: str) -> tuple[str, str]:
    """The token with its Urdu letters in Devanagari, composed (NFC), and those that share a letter there, or have none.

    Other characters, letters of other languages of the Arabic script among them, stay as they are.
    """
    if not _ARABIC.search(token):
        return token, ""
    text = unicodedata.normalize("NFC", token).translate(_VARIANTS).replace("یٔ", "ئ")
    text = _DOUBLE_LAST.sub(r"ّ\1", text)
    made: list[str] = []
    after = _After.PAUSE
    position = 0
    while position < len(text):
        unit = _unit(text, position, after)
        position += len(unit)
        written, after = _written(unit, text[position : position + 2], made[-1] if made else "", after)
        if written:
            made.append(written)
    lost = [sign for sign in text if sign in _SILENT or sign in _SAME_SOUND]
    return unicodedata.normalize("NFC", "".join(made)), "".join(lost)


def _unit(text: str, position: int, after: _After) -> str:
    """The longest group of letters that is read as one here."""
    match = _UNIT.match(text, position)
    assert match is not None
    unit = match.group()
    if unit in _FIRST and after is not _After.PAUSE:
        return unit[0]
    if len(unit) > 1 and _is_consonant(unit[-1], text[match.end() : match.end() + 2]):
        return unit[:-1]
    return unit


def _is_consonant(letter: str, following: str) -> bool:
    """Does a vowel follow this vav or ye?"""
    return letter in _BEFORE_VOWEL and _BEFORE_VOWEL[letter].match(following) is not None


def _written(unit: str, following: str, last: str, after: _After) -> tuple[str, _After]:
    """One unit in Devanagari, given the two letters after it and what was written before."""
    if unit in _CONSONANTS:
        return _CONSONANTS[unit], _After.CONSONANT
    if unit == _ASPIRATE:
        return ("्ह" if after is _After.CONSONANT else "ह"), _After.CONSONANT
    if unit == _NASAL:
        return ("न" if after is _After.PAUSE else "ं"), _After.VOWEL
    if unit in (_DOUBLE, _NO_VOWEL):
        if after is not _After.CONSONANT:
            return "", after
        return ("्" + last.removeprefix("्"), after) if unit == _DOUBLE else ("्", _After.VOWEL)
    if unit in _GLIDES and (after is not _After.CONSONANT or _is_consonant(unit, following)):
        return _GLIDES[unit], _After.CONSONANT
    if unit in _FIRST and after is _After.PAUSE:
        return _FIRST[unit], _After.VOWEL
    if unit in _VOWELS:
        written = _VOWELS[unit][after.value]
        return written, (_After.VOWEL if written else after)
    if unit in _SILENT:
        return "", after
    return _OTHERS.get(unit, unit), _After.PAUSE
