"""Brahmic scripts to one another by the layout that their Unicode blocks have in common (that of ISCII, 1991).

The k-th position of one block is the same letter in the other eight, with the exceptions tabled here.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

BLOCKS = {
    "deva": 0x0900,
    "beng": 0x0980,
    "guru": 0x0A00,
    "gujr": 0x0A80,
    "orya": 0x0B00,
    "taml": 0x0B80,
    "telu": 0x0C00,
    "knda": 0x0C80,
    "mlym": 0x0D00,
}
"""Script -> first character of its block."""

# Signs, vowels, consonants, vowel signs, OM, vocalic L, digits. Devanagari, which has them all, names them below.
SHARED = (1, 2, 3, *range(0x05, 0x3A), *range(0x3C, 0x4E), 0x50, *range(0x60, 0x64), *range(0x66, 0x70))
# Positions at which a block holds something else: Gurmukhi's adak bindi, Malayalam's circular virama.
_ELSEWHERE = {("guru", 0x01), ("mlym", 0x3C)}
# Letters outside the common layout that have a counterpart all the same. (Kannada's "FA" is a misnomer: it is LLLA.)
_OWN = {
    "orya": {"ୟ": "य़"},
    "guru": {"ੜ": "ड़", "ਸ਼": "श", "ਲ਼": "ळ"},
    "knda": {"ೞ": "ऴ"},
}
# Letters that can be written in other scripts, but not found again.
_ONE_WAY = {
    "orya": {"ୱ": "व"},
    "beng": {"ৰ": "र", "ৱ": "व", "ৎ": "त्"},
    "guru": {"ੰ": "ं"},
    "mlym": {"ൺ": "ण्", "ൻ": "न्", "ർ": "र्", "ൽ": "ल्", "ൾ": "ळ्", "ൿ": "क्"},
}
# What is written where a script lacks the letter: short e and o become long, an aspirate the plain stop of its row,
# the o of `doctor` the long a that most languages write for it; nukta and avagraha are left out.
_NEAREST = {
    "ँ": "ं", "़": "", "ऽ": "",
    "ऍ": "ए", "ऎ": "ए", "ऑ": "आ", "ऒ": "ओ", "ॅ": "े", "ॆ": "े", "ॉ": "ा", "ॊ": "ो",
    "ऋ": "रि", "ॠ": "ऋ", "ऌ": "लि", "ॡ": "ऌ", "ृ": "्रि", "ॄ": "ृ", "ॢ": "्लि", "ॣ": "ॢ",
    "ख": "क", "ग": "क", "घ": "क", "छ": "च", "झ": "ज", "ठ": "ट", "ड": "ट", "ढ": "ट",
    "थ": "त", "द": "त", "ध": "त", "फ": "प", "ब": "प", "भ": "प",
    "ऩ": "न", "ऱ": "र", "ळ": "ल", "ऴ": "ळ", "व": "ब", "ष": "श",
}  # fmt: skip
_ADDAK = re.compile("ੱ([ਕ-ਹ])")  # doubles the consonant after it
_PIVOT = BLOCKS["deva"]


def to_brahmic(token: str, script: str) -> tuple[str, str]:
    """The token in one of BLOCKS, composed (NFC), and its characters for which the script has no letter of its own.

    Those become a near letter, or nothing. What belongs to no Brahmic block, or to one alone, stays as it is.
    """
    pattern, table = _table(script)
    token = unicodedata.normalize("NFC", token)
    lost: list[str] = []
    if script != "guru":
        token, doubled = _ADDAK.subn(r"\1੍\1", token)
        lost += ["ੱ"] * doubled

    def written(match: re.Match[str]) -> str:
        made, exact = table[match.group()]
        if not exact:
            lost.append(match.group())
        return made

    return unicodedata.normalize("NFC", pattern.sub(written, token)), "".join(lost)


@cache
def _table(target: str) -> tuple[re.Pattern[str], dict[str, tuple[str, bool]]]:
    """What each letter, or group of letters, of the other blocks is in `target`, and whether it is the same letter."""
    table: dict[str, tuple[str, bool]] = {}
    own = {pivot: letter for letter, pivot in _OWN.get(target, {}).items()}
    for source in BLOCKS:
        if source == target:
            continue
        for offset in SHARED:
            letter = _letter(source, offset)
            made = _written(chr(_PIVOT + offset), target)
            if letter and made is not None:
                table[letter] = made
        for letter, pivot in _OWN.get(source, {}).items():
            table[letter] = _of_all(pivot, target) if pivot not in own else (own[pivot], True)
        for letter, pivot in _ONE_WAY.get(source, {}).items():
            table[letter] = (_of_all(pivot, target)[0], False)
        for pivot, letter in own.items():
            group = [_letter(source, ord(sign) - _PIVOT) for sign in pivot]
            if all(group):
                table["".join(map(str, group))] = (letter, True)
    groups = sorted(table, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, groups))), table


def _letter(script: str, offset: int) -> str | None:
    """The character at a position of the common layout, if the script has it."""
    letter = chr(BLOCKS[script] + offset)
    absent = (script, offset) in _ELSEWHERE or unicodedata.category(letter) == "Cn"
    return None if absent else letter


def _written(pivot: str, target: str) -> tuple[str, bool] | None:
    """One character of Devanagari in another script, and whether it is the same letter; None: it has no like."""
    letter = _letter(target, ord(pivot) - _PIVOT)
    if letter is not None:
        return letter, True
    return (_of_all(_NEAREST[pivot], target)[0], False) if pivot in _NEAREST else None


def _of_all(pivot: str, target: str) -> tuple[str, bool]:
    made = [_written(sign, target) or (sign, False) for sign in pivot]
    return "".join(text for text, _ in made), all(exact for _, exact in made)
