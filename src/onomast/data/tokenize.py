"""Raw text -> sentences -> tokens, in any script: segmenters give spans of the text and change no character.

A span is `(start, end)`, in characters. Token spans are in order and disjoint, never split a grapheme cluster, and
cover every character that shows: all but white space, control characters, and the zero-width characters (byte-order
mark, zero-width space, direction marks) that stand outside words.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import regex

from onomast.errors import MissingExtra, OnomastError, nearest

TextSpan = tuple[int, int]
Segmenter = Callable[[str], list[TextSpan]]
Cut = Callable[[str, int, int], Iterable[TextSpan]]

# Scripts written without spaces between words: tokens are clusters or syllables of these characters.
_THAI = r"[\u0e01-\u0e3a\u0e40-\u0e4e]"
_LAO = r"[\u0e81-\u0ebd\u0ec0-\u0ece\u0edc-\u0edf]"
_KHMER = r"[\u1780-\u17d3\u17d7\u17dc\u17dd]"
_BURMESE = r"[[\p{Myanmar}&&[\p{L}\p{M}]]\u104c-\u104f]"
_COMPLEX = rf"[{_THAI}{_LAO}{_KHMER}{_BURMESE}[\p{{Line_Break=SA}}--[\p{{Thai}}\p{{Lao}}\p{{Khmer}}\p{{Myanmar}}]]]"
_IDEOGRAPH = r"[\p{Han}\p{Hiragana}\p{Bopomofo}]"
# What stays with the character before it: combining marks, joiners, soft hyphen, direction marks, tag characters.
_TAIL = r"[\p{M}\u00ad\u034f\u061c\u200c-\u200f\u2060\U000e0020-\U000e007f]*+"
_LETTER = rf"[[\p{{L}}\p{{Nl}}\p{{Pc}}]--{_COMPLEX}--{_IDEOGRAPH}--\p{{Katakana}}--[ーｰ]]"
_VISIBLE = r"[[^\s\p{Cc}\p{Cf}]\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd]"

_INSIDE = r"(?<=\p{Ll})\.(?=\p{Ll})|(?<=\p{Hebrew})\"(?=\p{Hebrew})"
_LETTERS = rf"{_LETTER}{_TAIL}(?:(?:['’‘·‧\u05f4]{_TAIL}(?={_LETTER})|{_INSIDE})?{_LETTER}{_TAIL})*+"
_NUMBER = rf"\p{{Nd}}{_TAIL}(?:(?:[.,:;/'’،٫٬⁄](?=\p{{Nd}}))?\p{{Nd}}{_TAIL})*+"
_HAUSA = r"(?<![\p{L}\p{N}])['’‘](?=(?i:yan?\b|yar\b|yan?['’‘]|yanc|yanm|yamma|yant))"
_URL_TAIL = r"[\p{Latin}\p{Cyrillic}\p{Greek}0-9\-._~:/?\#\[\]@!$&'()*+,;=%|]*(?<![.,;:!?'\"()\[\]|*])"
_PLAIN_END = r"(?=[\s,;!?)]|\.\s)"  # before these every word ends
_TOKEN = regex.compile(
    rf"""
    [a-zA-Z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]++{_PLAIN_END}     # most words: for speed alone
  | {_LETTER}[{_LETTER}\p{{M}}]*+{_PLAIN_END}
  | (?P<complex>(?:{_COMPLEX}{_TAIL})++)
  | (?:(?:https?|ftp)://(?=\w)|www\.(?=\w)){_URL_TAIL}                              # addresses
  | [\w.+\-]{{1,64}}@[\w\-]{{1,64}}(?:\.[\w\-]{{1,64}}){{1,8}}
  | (?:[A-Za-z0-9\-]{{1,64}}\.){{1,8}}[a-z]{{2,6}}/{_URL_TAIL}
  | [\#@][\p{{L}}\p{{Nd}}\p{{Pc}}][\p{{L}}\p{{Nd}}\p{{Pc}}\p{{M}}\u200c\u200d]*+     # hashtags, user names
  | (?:{_LETTER}{_TAIL}\.){{2,32}}+(?![\p{{L}}\p{{N}}])                             # U.S.
  | {_IDEOGRAPH}{_TAIL}
  | [\p{{Katakana}}ーｰ][\p{{Katakana}}ーｰ\p{{M}}]*+
  | (?:{_HAUSA})?(?:{_LETTERS}|{_NUMBER})
      (?:(?:(?<=[\p{{Lu}}]):(?=\p{{Ll}})|[-\u2010\u2011]{_TAIL})?(?:{_LETTERS}|{_NUMBER}))*+
  | (?P<mark>[\p{{P}}--\p{{Pc}}])(?P=mark)*+{_TAIL}                                          # ... -- !!
  | {_VISIBLE}{_TAIL}
    """,
    regex.VERBOSE | regex.VERSION1,
)

_UNIT = regex.compile(
    rf"""
    (?P<complex>(?:{_COMPLEX}{_TAIL})++)
  | (?:{_LETTER}{_TAIL})++
  | (?:\p{{Nd}}{_TAIL})++
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
_LAO_CLUSTER = rf"[ເ-ໄ]?[ກ-ຮໜ-ໟ]ຼ?(?:[ັົຽ][່-ໍ]*{_LAO_FINAL}|[ັ-ູົ-ຽ່-ໍ]*[ະາຳ]?)"
_KHMER_CLUSTER = rf"[\u1780-\u17b3](?:\u17d2[\u1780-\u17b3]|{_TAIL[:-2]})*+"
# A Burmese syllable starts with a letter that is neither stacked under (U+1039) nor silenced (U+103A).
_BURMESE_START = r"(?<!\u1039)[[\p{Myanmar}&&\p{Lo}]\u104c-\u104f](?!\u1037?[\u1039\u103a])"
_BURMESE_SYLLABLE = rf"{_BURMESE}(?:(?!{_BURMESE_START})[{_BURMESE}{_TAIL[:-2]}])*+"
_BURMESE_CLUSTER = rf"[\p{{Myanmar}}&&\p{{Lo}}](?:\u1039[\p{{Myanmar}}&&\p{{Lo}}]|{_TAIL[:-2]})*+"
_SYLLABLE, _ORTHOGRAPHIC = (
    regex.compile(
        rf"(?:{_THAI_CLUSTER}|{_LAO_CLUSTER}|{_KHMER_CLUSTER}|{burmese}|.){_TAIL}", regex.VERSION1 | regex.DOTALL
    )
    for burmese in (_BURMESE_SYLLABLE, _BURMESE_CLUSTER)
)

# Where a token border may lie inside a grapheme cluster: only such texts are looked at more closely.
_JOINED = regex.compile(r"[^\p{GCB=Other}\p{GCB=Control}\p{GCB=CR}\p{GCB=LF}]", regex.VERSION1)
_GRAPHEME = regex.compile(r"\X", regex.VERSION1)
_SHOWS = regex.compile(_VISIBLE, regex.VERSION1)
_SPACED = regex.compile(rf"[^\s\p{{Cc}}\u200b\ufeff]*?{_VISIBLE}[^\s\p{{Cc}}\u200b\ufeff]*+", regex.VERSION1)
_THAI_RUN = regex.compile(rf"({_THAI}++)|(?:(?!{_THAI}).)++", regex.VERSION1 | regex.DOTALL)


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
    return _tokens(text, _syllable_cut)


def clusters(text: str) -> list[TextSpan]:
    """As `tokenize`, but Burmese too is cut into orthographic clusters: a letter with all that is written on it."""
    return _tokens(text, _orthographic_cut)


def units(text: str) -> list[TextSpan]:
    """Cut into what a learned segmenter joins: as `tokenize`, but each mark, number and run of letters alone."""
    return _tokens(text, _syllable_cut, _UNIT)


def spaces(text: str) -> list[TextSpan]:
    """Cut at white space, zero-width spaces and control characters alone: for text that is already tokenised."""
    return _whole_graphemes(text, [match.span() for match in _SPACED.finditer(text)])


def characters(text: str) -> list[TextSpan]:
    """One token per grapheme cluster."""
    return [match.span() for match in _GRAPHEME.finditer(text) if _SHOWS.search(match.group())]


def uax29(text: str) -> list[TextSpan]:
    """The word rules of UAX 29 with nothing added, by uniseg. Raises MissingExtra."""
    try:
        from uniseg.wordbreak import word_boundaries
    except ImportError:
        raise MissingExtra("uniseg", "segment") from None
    borders = [0, *word_boundaries(text), len(text)]
    return _whole_graphemes(text, [span for span in itertools.pairwise(borders) if _SHOWS.search(text, *span)])


def thai_words(text: str) -> list[TextSpan]:
    """As `tokenize`, but Thai is cut into the words of a dictionary, by pythainlp. Raises MissingExtra."""
    try:
        from pythainlp.tokenize import word_tokenize
    except ImportError:
        raise MissingExtra("pythainlp", "segment") from None

    def cut(text: str, start: int, end: int) -> Iterator[TextSpan]:
        for run in _THAI_RUN.finditer(text, start, end):
            if run.group(1) is None:
                yield from _syllable_cut(text, *run.span())
                continue
            reached = run.start()
            for word in word_tokenize(run.group(), engine="newmm-safe"):
                yield reached, reached + len(word)
                reached += len(word)

    return _tokens(text, cut)


def _tokens(text: str, cut: Cut, pattern: regex.Pattern[str] = _TOKEN) -> list[TextSpan]:
    """The tokens of `pattern`; `cut` divides the runs of scripts without spaces."""
    spans: list[TextSpan] = []
    for match in pattern.finditer(text):
        if match.lastgroup == "complex":
            spans.extend(cut(text, match.start(), match.end()))
        else:
            spans.append(match.span())
    return spans if text.isascii() else _whole_graphemes(text, spans)


def _syllable_cut(text: str, start: int, end: int) -> Iterator[TextSpan]:
    return (match.span() for match in _SYLLABLE.finditer(text, start, end))


def _orthographic_cut(text: str, start: int, end: int) -> Iterator[TextSpan]:
    return (match.span() for match in _ORTHOGRAPHIC.finditer(text, start, end))


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


def is_unspaced(letter: str) -> bool:
    """Does the letter belong to a script that is written without spaces between words?"""
    return _STARTS_UNSPACED.match(letter) is not None


LONGEST = 500  # tokens of a sentence
_THAI_SENTENCE = 100  # clusters after which a single space ends a Thai or Lao sentence: some 35 words
_UNSPACED = rf"[{_COMPLEX}{_IDEOGRAPH}\p{{Katakana}}]"
# Full stops of all scripts; not U+104A, which is Burmese's comma.
_BORDER = regex.compile(
    r"""
    (?P<line>[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029])
  | (?P<stop>[[\p{Sentence_Terminal}…‥།༎]--\u104a])
  | (?P<blank>(?<=[\p{Thai}\p{Lao}])[\ \u00a0\u3000]+(?=[\p{Thai}\p{Lao}]))
    """,
    regex.VERBOSE | regex.VERSION1,
)
_AFTER_STOP = regex.compile(r"[\p{STerm}…‥\p{Pe}\p{Pf}\"'”’]", regex.VERSION1)
_NEEDS_SPACE = frozenset(".!?…‥․‼‽⁇⁈⁉")  # without one they may stand inside a name or an address
_STARTS_UNSPACED = regex.compile(_UNSPACED, regex.VERSION1)
_TITLES = """mr mrs ms dr drs prof st jr sr vs gen col capt lt sgt maj cmdr rev fr hon gov sen rep pres supt inc
    ltd co corp bros dept est ed eds approx ave blvd mt bw mhe dk alh tn ny jl hlm sra srta dra ud uds dña hr bzw ca bl
    mme mlle npr tzv okr ул им гр др проф डॉ डा प्रो एस एम एन के बी सी डी पी टी वी आर एल जे एच एफ मो डब्ल्यू ডা মো ড ప్రొ డా"""
_BEFORE_NUMBERS = "no nos nr fig figs art sec ch vol pp str tel kl pr jan feb mar apr jun jul aug sep sept oct nov dec"
_ABBREVIATIONS, _NUMBER_ABBREVIATIONS = frozenset(_TITLES.split()), frozenset(_BEFORE_NUMBERS.split())


def sentences(text: str) -> list[TextSpan]:
    """Find the sentences, from the first character of the first token to the last of the last; none is empty.

    - A line break ends a sentence, always. So do the full stops of every script, with closing quotes after them.
    - `. ! ? …` do so only before a space (or a script without spaces) and not before a small letter; a full stop
      not after an initial, a known abbreviation, an acronym of capitals, or a number that opens the sentence
      (`1.`) or stands before another (`11. 9.`).
    - Thai and Lao have no full stop: two spaces end a sentence; one does when it has 100 character clusters.
    - A sentence has at most `LONGEST` tokens: a longer one is cut at a space of its second half, or where it is full.
    """
    tokens = tokenize(text)
    ends = sentence_ends(text, tokens)
    return [(tokens[first][0], tokens[last - 1][1]) for first, last in itertools.pairwise([0, *ends])]


def segment(text: str, segmenter: str | Segmenter = "unicode") -> list[list[TextSpan]]:
    """The tokens of each sentence of `text`, spans of the whole text. Raises OnomastError for an unknown segmenter."""
    cut = named_segmenter(segmenter) if isinstance(segmenter, str) else segmenter
    if cut is tokenize:
        tokens = tokenize(text)
        return [tokens[first:last] for first, last in itertools.pairwise([0, *sentence_ends(text, tokens)])]
    return [[(start + left, start + right) for left, right in cut(text[start:end])] for start, end in sentences(text)]


def named_segmenter(name: str) -> Segmenter:
    """A segmenter of `SEGMENTERS`. Raises OnomastError naming the nearest. (`taggers.segmenter` finds learned ones.)"""
    name = _OLD_NAMES.get(name, name)
    if name not in SEGMENTERS:
        raise OnomastError(f"there is no segmenter {name!r}; {nearest(name, SEGMENTERS)}")
    return SEGMENTERS[name]


def sentence_ends(text: str, tokens: Sequence[TextSpan]) -> list[int]:
    """Where the sentences of tokenised text end, as numbers of tokens: `tokens[ends[0]:ends[1]]` is the second."""
    starts = [start for start, _ in tokens]
    ends: list[int] = []
    first = 0
    stops = _FullStops(text, tokens)
    for match in _BORDER.finditer(text):
        index = bisect.bisect_right(starts, match.start()) - 1
        if index < first:
            continue
        if match.lastgroup == "line":
            end = index + 1
        elif match.lastgroup == "stop":
            end = stops.end_at(first, index, match.start())
        else:
            first = _bounded(tokens, first, index + 1, ends)
            wide = match.end() - match.start() > 1
            end = index + 1 if wide or index + 1 - first >= _THAI_SENTENCE else 0
        if end > first:
            first = _bounded(tokens, first, end, ends)
            ends.append(end)
            first = end
    if first < len(tokens):
        _bounded(tokens, first, len(tokens), ends)
        ends.append(len(tokens))
    return ends


def _bounded(tokens: Sequence[TextSpan], first: int, end: int, ends: list[int]) -> int:
    """Append borders to `ends` until tokens `first` to `end` are few enough for one sentence; the new first token."""
    while end - first > LONGEST:
        full = first + LONGEST
        spaced = (at for at in range(full, first + LONGEST // 2, -1) if tokens[at - 1][1] < tokens[at][0])
        first = next(spaced, full)
        ends.append(first)
    return first


class _FullStops:
    """Which full stops end a sentence. Work shared by the stops of one token, or of a run of tokens, is done once."""

    def __init__(self, text: str, tokens: Sequence[TextSpan]) -> None:
        self._text = text
        self._tokens = tokens
        self._token = -1
        self._tried: set[str] = set()  # full stops of the token at which no sentence ends
        self._inside = 0  # the last character of the token that can follow no full stop
        self._run = (0, -1)  # tokens that are closing marks without spaces between them

    def end_at(self, first: int, index: int, at: int) -> int:
        """The number of tokens up to the end of the sentence that the full stop at character `at` ends; 0: none.

        `first` is the sentence's first token, `index` the last one that does not begin after `at`.
        """
        text, tokens = self._text, self._tokens
        start, end = tokens[index]
        if index != self._token:
            self._token, self._tried, self._inside = index, set(), self._last_inside(start, end)
        stop = text[at]
        if stop in self._tried or not max(start, self._inside) <= at < end:
            return 0  # inside a number, an address
        self._tried.add(stop)
        last = self._last_of_run(index)
        if last + 1 == len(tokens):
            return last + 1
        after = text[tokens[last + 1][0]]
        spaced = tokens[last][1] < tokens[last + 1][0]
        starts_unspaced = stop != "." and _STARTS_UNSPACED.match(after)
        if stop in _NEEDS_SPACE and (after.islower() or not (spaced or starts_unspaced)):
            return 0
        word = text[slice(*tokens[index - 1])] if index > first and tokens[index - 1][1] == start else ""
        if word.isdecimal() and (index - first <= 1 or (len(word) < 3 and after.isdecimal())):
            return 0  # 1. or 11. 9.
        if stop == "." and (
            _is_abbreviation(word, text[start:end]) or (after.isdecimal() and word.casefold() in _NUMBER_ABBREVIATIONS)
        ):
            return 0
        return last + 1

    def _last_inside(self, start: int, end: int) -> int:
        """The last visible character of text[start:end] that is neither a full stop nor a closing mark."""
        for at in range(end - 1, start, -1):
            if _SHOWS.match(self._text, at) and not _AFTER_STOP.match(self._text, at):
                return at
        return start

    def _last_of_run(self, index: int) -> int:
        """The last of the closing marks that follow the token without a space; the token itself where there is none."""
        if not self._run[0] <= index <= self._run[1]:
            last = index
            while last + 1 < len(self._tokens) and self._tokens[last + 1][0] == self._tokens[last][1]:
                if not _AFTER_STOP.match(self._text, self._tokens[last + 1][0]):
                    break
                last += 1
            self._run = (index, last)
        return self._run[1]


def _is_abbreviation(word: str, mark: str) -> bool:
    """Does the full stop `mark` (or the acronym that ends in it) belong to a word rather than to the sentence?"""
    if len(mark.strip(".")) > 0:
        return not mark[0].islower()  # U.S. against p.m.
    if len(mark) > 1 or not word or word.isdecimal() or _STARTS_UNSPACED.match(word):
        return False
    return word.casefold() in _ABBREVIATIONS or (len(word) == 1 and word.isalpha())


SEGMENTERS: dict[str, Segmenter] = {
    "unicode": tokenize,
    "clusters": clusters,
    "spaces": spaces,
    "characters": characters,
    "uax29": uax29,
    "thai-words": thai_words,
}
"""Name -> text to token spans."""
_OLD_NAMES = {"syllables": "unicode"}  # still read
