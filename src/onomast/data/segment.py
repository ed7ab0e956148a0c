"""Raw text -> sentences -> tokens, in any script: segmenters give spans of the text and change no character.

A span is `(start, end)`, in characters. Token spans are in order and disjoint, never split a grapheme cluster, and
cover every character that shows: all but white space, control characters, and the zero-width characters (byte-order
mark, zero-width space, direction marks) that stand outside words.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable

import regex

TextSpan = tuple[int, int]

# Scripts written without spaces between words: tokens are clusters or syllables of these characters.
_THAI = r"[\u0e01-\u0e3a\u0e40-\u0e4e]"
_LAO = r"[\u0e81-\u0ebd\u0ec0-\u0ece\u0edc-\u0edf]"
_KHMER = r"[\u1780-\u17d3\u17d7\u17dc\u17dd]"
_BURMESE = r"[[\p{Myanmar}&&[\p{L}\p{M}]]\u104c-\u104f]"
_COMPLEX = rf"[{_THAI}{_LAO}{_KHMER}{_BURMESE}[\p{{Line_Break=SA}}--[\p{{Thai}}\p{{Lao}}\p{{Khmer}}\p{{Myanmar}}]]]"
_IDEOGRAPH = r"[\p{Han}\p{Hiragana}\p{Bopomofo}]"
# What stays with the character before it: combining marks, joiners, soft hyphen, direction marks, tag characters.
_TAIL = r"[\p{M}\u00ad\u034f\u061c\u200c-\u200f\u2060\U000e0020-\U000e007f]*+"
_LETTER = rf"[[\p{{L}}\p{{Nl}}\p{{Pc}}]--{_COMPLEX}--{_IDEOGRAPH}--\p{{Katakana}}]"
_VISIBLE = r"[[^\s\p{Cc}\p{Cf}]\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd]"

_LETTERS = rf"{_LETTER}{_TAIL}(?:(?:['’‘·‧\u05f4]{_TAIL}(?={_LETTER})|(?<=\p{{Ll}})\.(?=\p{{Ll}}))?{_LETTER}{_TAIL})*+"
_NUMBER = rf"\p{{Nd}}{_TAIL}(?:(?:[.,:;/'’،٫٬⁄](?=\p{{Nd}}))?\p{{Nd}}{_TAIL})*+"
_HAUSA = r"(?<![\p{L}\p{N}])['’‘](?=(?i:yan?\b|yar\b|yan?['’‘]|yanc|yanm|yamma|yant))"
_URL_TAIL = r"[\p{Latin}\p{Cyrillic}\p{Greek}0-9\-._~:/?\#\[\]@!$&'()*+,;=%|]*(?<![.,;:!?'\"()\[\]|*])"
_TOKEN = regex.compile(
    rf"""
    (?P<complex>(?:{_COMPLEX}{_TAIL})++)
  | (?:(?:https?|ftp)://(?=\w)|www\.(?=\w)){_URL_TAIL}                              # addresses
  | [\w.+\-]{{1,64}}@[\w\-]{{1,64}}(?:\.[\w\-]{{1,64}}){{1,8}}
  | (?:[A-Za-z0-9\-]{{1,64}}\.){{1,8}}[a-z]{{2,6}}/{_URL_TAIL}
  | [\#@][\p{{L}}\p{{Nd}}\p{{Pc}}][\p{{L}}\p{{Nd}}\p{{Pc}}\p{{M}}\u200c\u200d]*+     # hashtags, user names
  | (?:{_LETTER}{_TAIL}\.){{2,}}+(?![\p{{L}}\p{{N}}])                               # U.S.
  | {_IDEOGRAPH}{_TAIL}
  | [\p{{Katakana}}ーｰ][\p{{Katakana}}ーｰ\p{{M}}]*+
  | (?:{_HAUSA})?(?:{_LETTERS}|{_NUMBER})
      (?:(?:(?<=[\p{{Lu}}]):(?=\p{{Ll}})|[-\u2010\u2011]{_TAIL})?(?:{_LETTERS}|{_NUMBER}))*+
  | (?P<mark>[\p{{P}}--\p{{Pc}}])(?P=mark)*+{_TAIL}                                          # ... -- !!
  | {_VISIBLE}{_TAIL}
    """,
    regex.VERBOSE | regex.VERSION1,
)

# Thai character clusters: letters that no word border separates (Theeramunkong et al. 2000, the TCC rules).
_T = r"[\u0e48-\u0e4b]?"  # tone mark
_C = r"[ก-ฮ]"
_F = r"[ก-ฮ](?![ะ-ฺ็-๎])"  # a final consonant carries no vowel of its own
_K = r"(?:[ก-ฮ]{1,2}[ิุู]?์)?"  # silenced consonants
_THAI_CLUSTER = "|".join(
    part.replace("C", _C).replace("F", _F).replace("T", _T) + _K
    for part in (
        "เCC?็F", "เCCTาะ", "เCCีTย(?:ะ|(?=[เ-ไก-ฮ]|$))", "เCีTยะ?", "เCืTอะ?", "เCิTF", "เCTา?ะ?",
        "แCC?็F", "แCTะ", "โCTะ", "[เ-ไ]CT", "CัTF", "C[ึื]TF", "C็", "C[ั-ูํ]T", "CT[ะาำๅ]?",
    )
)  # fmt: skip
_LAO_FINAL = r"[ກ-ຮຽ](?![ະ-ຼ່-ໍ])"
_LAO_CLUSTER = rf"[ເ-ໄ]?[ກ-ຮໜ-ໟ]ຼ?(?:[ັົ][່-ໍ]*{_LAO_FINAL}|[ັ-ູົ-ຽ່-ໍ]*[ະາຳ]?)"
_KHMER_CLUSTER = rf"[\u1780-\u17b3](?:\u17d2[\u1780-\u17b3]|{_TAIL[:-2]})*+"
# A Burmese syllable starts with a letter that is neither stacked under (U+1039) nor silenced (U+103A).
_BURMESE_START = r"(?<!\u1039)[[\p{Myanmar}&&\p{Lo}]\u104c-\u104f](?!\u1037?[\u1039\u103a])"
_BURMESE_SYLLABLE = rf"{_BURMESE}(?:(?!{_BURMESE_START})[{_BURMESE}{_TAIL[:-2]}])*+"
_CLUSTER = regex.compile(
    rf"(?:{_THAI_CLUSTER}|{_LAO_CLUSTER}|{_KHMER_CLUSTER}|{_BURMESE_SYLLABLE}|.){_TAIL}",
    regex.VERSION1 | regex.DOTALL,
)


def tokenize(text: str) -> list[TextSpan]:
    """Cut any text into words, numbers and punctuation: the default, `unicode`.

    The word rules of UAX 29, with these differences, made for finding names:

    - `Guinea-Bissau`, `COVID-19`, `2019-2020`: hyphens (not dashes) between letters or digits join;
    - `10:30`, `1/2`, `08/26/96` are one number, as `1,200.50` is; a slash between letters separates;
    - `node.js` stays one token, `Kenya.Rais` (a space forgotten) does not; `U.S.` keeps its last full stop;
    - `‘yan`, `'ya'ya`: Hausa's apostrophe belongs to the word, other leading apostrophes do not;
    - addresses, `#tags` and `@names` are one token; so is a run of one punctuation mark (`...`, `--`);
    - Han and Hiragana: a token per character; Katakana: per run;
    - Thai and Lao: character clusters; Khmer: orthographic clusters; Burmese: syllables; other scripts without
      spaces: grapheme clusters.
    """
    spans: list[TextSpan] = []
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "complex":
            spans.extend(part.span() for part in _CLUSTER.finditer(text, match.start(), match.end()))
        else:
            spans.append(match.span())
    return spans if text.isascii() else _whole_graphemes(text, spans)


# Where a token border may lie inside a grapheme cluster: only such texts are looked at more closely.
_JOINED = regex.compile(r"[^\p{GCB=Other}\p{GCB=Control}\p{GCB=CR}\p{GCB=LF}]", regex.VERSION1)
_GRAPHEME = regex.compile(r"\X", regex.VERSION1)


def _whole_graphemes(text: str, spans: list[TextSpan]) -> list[TextSpan]:
    """Move each border that lies inside a grapheme cluster to the cluster's end (a first token's start: its start)."""
    if not _JOINED.search(text):
        return spans
    borders = [match.start() for match in _GRAPHEME.finditer(text)] + [len(text)]
    known = set(borders)
    moved: list[TextSpan] = []
    reached = 0
    for start, end in spans:
        if start not in known:
            start = borders[bisect.bisect_left(borders, start) - 1]
        start = max(start, reached)
        if end not in known:
            end = borders[bisect.bisect_left(borders, end)]
        if start < end:
            moved.append((start, end))
            reached = end
    return moved


SEGMENTERS: dict[str, Callable[[str], list[TextSpan]]] = {"unicode": tokenize}
