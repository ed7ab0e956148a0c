"""The first lines of a column file -> its layout: delimiter, what each column holds, header, scheme.

Nothing is assumed that the lines do not show; two readings that are equally good are an error that lists them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise, takewhile

from onomast.data.formats.column_layout import (
    DELIMITERS,
    DOCUMENT,
    PREFIXED,
    SUFFIXED,
    ColumnLayout,
    directive,
    is_blank,
    is_comment,
    joined_tag,
    split_row,
)
from onomast.data.formats.tag_repair import OUTSIDE_WORDS, UNKNOWN, guess_spelling
from onomast.data.input_file import InputFile, ReadOptions
from onomast.errors import DataError

SAMPLE_LINES = 2_000
ENOUGH_LINES = 20_000
_FEWEST_ROWS = 10  # with tags, for a file whose tags stop
# What header rows and CoNLL dialects call the columns.
_HEADERS = {
    **dict.fromkeys(("token", "tokens", "word", "words", "form", "text"), "token"),
    **dict.fromkeys(("pos", "upos", "xpos", "pos_tag", "postag"), "pos"),
    **dict.fromkeys(("tag", "tags", "ner", "ner_tag", "ner_tags", "label", "labels", "entity", "ne", "iob"), "tag"),
    **dict.fromkeys(("sentence", "sentence_id", "sentence #", "sent_id", "sentence id", "sentid"), "sentence"),
    **dict.fromkeys(("lang", "language"), "language"),
    **dict.fromkeys(("id", "index", "token_id"), "id"),
    **dict.fromkeys(("intent", "category", "domain", "sentence_label"), "label"),
    **dict.fromkeys(("lemma", "chunk", "xpos", "feats", "_", ""), "ignore"),
}
_CHUNKS = frozenset(["NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP"])
_UNIVERSAL_NER = ("id", "token", "tag", "ignore", "ignore")
_PREFIX = re.compile(r"(?:^|[\s,;|])[BIS][-_:/A-Z]")
_NUMBER = re.compile(r"-?\d+(?:[.,:-]\d+)*\Z")
_PREFIX_LANGUAGE = re.compile(r"([a-z]{2,3}(?:-[a-z]+)?):.", re.DOTALL)


def detect(file: InputFile, options: ReadOptions) -> ColumnLayout:
    """The layout of a column file. Raises DataError where there is none, or more than one equally good one."""
    lines = file.column_sample(sample_size(file.column_sample(SAMPLE_LINES)))
    if all(map(is_blank, lines)):
        raise file.error("there are only blank lines" if lines else "the file is empty: it holds no sentence")
    if options.columns is not None:
        return _told(file, options, lines)
    return layout_of(lines, options, file)


def tags_in_columns(lines: Sequence[str]) -> str | None:
    """How the tags of these lines are written, if they are rows of a labelled file; None for raw text."""
    try:
        layout = layout_of(lines, ReadOptions(), InputFile("-")) if any(map(str.strip, lines)) else None
    except DataError:
        return None
    return layout.spelling.words if layout is not None and layout.spelling is not None else None


def layout_of(lines: Sequence[str], options: ReadOptions, file: InputFile) -> ColumnLayout:
    """The layout that these lines show; `source` names the file in errors."""
    lines = [*takewhile(lambda line: directive(line) is None, lines)]
    errors: list[DataError] = []
    ways = [(delimiter, False) for delimiter in DELIMITERS] + [("\t", True), (" ", True)]
    for delimiter, is_tag_split in ways:
        rows = _Rows(lines, delimiter, is_tag_split=is_tag_split)
        if rows.width < 2 or (is_tag_split and rows.width > 3):
            continue
        try:
            layout = _layout(file, options, rows)
        except DataError as error:
            errors.append(error)
            continue
        if layout is not None:
            return layout
    if errors:
        raise errors[0]
    raise file.error(_no_tags(lines))


def sample_size(lines: Sequence[str]) -> int:
    """How many lines to look at: more than 2,000 where these hold hardly a tag."""
    shown = sum(1 for line in lines if _PREFIX.search(line))
    return SAMPLE_LINES if shown >= 20 or len(lines) < SAMPLE_LINES else ENOUGH_LINES


class _Rows:
    """The sample, cut at one delimiter: only rows of the commonest width count."""

    def __init__(self, lines: Sequence[str], delimiter: str, width: int = 0, *, is_tag_split: bool = False) -> None:
        self.delimiter = delimiter
        self.is_tag_split = is_tag_split
        widths: Counter[int] = Counter()
        cut: list[list[str] | None] = []
        for line in lines:
            fields = None if is_blank(line) else split_row(line, delimiter)
            if fields is not None and not any(field.strip() for field in fields):
                fields = None  # such as `;` in a CSV file
            if is_tag_split and fields is not None:
                fields = joined_tag(fields)
            cut.append(fields)
            if fields is not None and not (line.startswith("#") and is_comment(line)):
                widths[len(fields)] += 1
        self.width, covered = widths.most_common(1)[0] if widths else (0, 0)
        if self.width < 2 or covered < 0.9 * widths.total():
            self.width = 0
        self.width = width or self.width
        self.sentences: list[list[list[str]]] = [[]]
        for fields in cut:
            if fields is None:
                self.sentences.append([])
            elif len(fields) == self.width and fields[0] != DOCUMENT:
                self.sentences[-1].append(fields)
        self.sentences = [sentence for sentence in self.sentences if sentence]

    def column(self, index: int) -> list[str]:
        return [fields[index] for sentence in self.sentences for fields in sentence]

    def tags(self, index: int) -> list[list[str]]:
        return [[fields[index] for fields in sentence] for sentence in self.sentences]


def _told(file: InputFile, options: ReadOptions, lines: Sequence[str]) -> ColumnLayout:
    """The layout that the user named; the delimiter is the one that gives the most rows of that width."""
    columns = options.columns or ()
    width = len(columns)
    delimiter = "\t"
    if width > 1:
        counted = {mark: sum(len(row) for row in _Rows(lines, mark, width).sentences) for mark in DELIMITERS}
        delimiter = max(counted, key=lambda mark: counted[mark])
        if not counted[delimiter]:
            raise file.error(
                f"no row has the {width} columns {' '.join(columns)!r}; the first is {_first(lines)!r}; "
                "name one of token, pos, tag, label, language, id, sentence, ignore for each column"
            )
    rows = _Rows(lines, delimiter, width)
    header = _is_header(rows, columns.index("tag") if "tag" in columns else None)
    if header:
        rows.sentences[0] = rows.sentences[0][1:]
    spelling = None
    if "tag" in columns:
        spelling = guess_spelling(rows.tags(columns.index("tag")), options.style)
    return ColumnLayout(delimiter, columns, spelling, header)


def _layout(file: InputFile, options: ReadOptions, rows: _Rows) -> ColumnLayout | None:
    """The one best reading of the columns, or None if no column holds tags."""
    header = _is_header(rows, None)
    names: list[str] = []
    if header:
        names = [_HEADERS.get(name.strip().lower(), "ignore") for name in rows.sentences[0][0]]
        rows.sentences[0] = rows.sentences[0][1:]
        rows.sentences = [sentence for sentence in rows.sentences if sentence]
        if not rows.sentences:
            raise file.error("there is a header row and nothing below it")
    tag = _tag_column(file, rows, names)
    if tag is None:
        return None
    columns = _UNIVERSAL_NER if _is_universal_ner(file, rows) else _other_columns(rows, tag, names)
    languages: tuple[str, ...] = ()
    if "language" not in columns:
        languages = _languages(rows.column(columns.index("token")))
    spelling = guess_spelling(rows.tags(tag), options.style)
    return ColumnLayout(rows.delimiter, columns, spelling, header, rows.is_tag_split, languages)


def _is_header(rows: _Rows, tag: int | None) -> bool:
    """Is the first row made of names of columns, none of them a tag?"""
    if not rows.sentences:
        return False
    first = [name.strip().lower() for name in rows.sentences[0][0]]
    named = [_HEADERS.get(name) for name in first]
    if tag is not None and first[tag] in rows.column(tag)[1:]:
        return False
    return None not in named and {"token", "tag"} <= set(named)


def _tag_column(file: InputFile, rows: _Rows, names: Sequence[str]) -> int | None:
    """The column of entity tags, None if there is none. Raises DataError if it could be one or another."""
    if _is_universal_ner(file, rows):
        return 2
    strengths = [_strength(rows.column(index)) for index in range(rows.width)]
    best = max(strengths)
    if not best:
        return None
    found = [index for index, strength in enumerate(strengths) if strength == best]
    if len(found) == rows.width:
        found = found[1:]  # one of them is the token, and tokens come first
    if "tag" in names and names.index("tag") in found:
        return names.index("tag")
    if len(found) > 1:
        found = [index for index in found if not _are_chunks(rows.column(index))] or found
    columns = [rows.column(index) for index in found]
    if all(first == second for first, second in pairwise(columns)):
        return found[-1]
    readings = [(" ".join(_other_columns(rows, index, names, set(found))), _examples(rows, index)) for index in found]
    choices = "; or ".join(f'--columns "{columns}" (tags such as {examples})' for columns, examples in readings)
    raise file.error(f"{len(found)} columns could hold the entity tags; say which: {choices}")


def _is_universal_ner(file: InputFile, rows: _Rows) -> bool:
    """Universal NER says by its file name what its five columns are: the fourth holds another annotator's tags."""
    return file.suffix == ".iob2" and rows.width == len(_UNIVERSAL_NER)


def _strength(values: Sequence[str]) -> int:
    """How much a column looks like entity tags: 3 prefixes, 2 nothing but O, 1 labels without prefix, 0 not at all."""
    counted = Counter(values)
    outside = sum(counted[word] for word in (*OUTSIDE_WORDS, UNKNOWN))
    matches = [match for match in map(PREFIXED.match, counted) if match is not None]
    prefixed = sum(counted[match.string] for match in matches)
    whole = outside or any(match[1] for match in matches)
    if outside and not matches:
        prefixed = sum(number for value, number in counted.items() if SUFFIXED.match(value))
    if prefixed and whole and (outside + prefixed) >= 0.7 * len(values):
        return 3
    if outside == len(values):
        return 2
    labels = [value for value in counted if value not in OUTSIDE_WORDS and value != UNKNOWN]
    letters = [value for value in labels if any(letter.isalpha() for letter in value)]
    if len(letters) < len(labels) or any(_NUMBER.match(label) for label in labels):
        return 0
    spelled = guess_spelling([values]) if outside else None
    together = spelled is not None and spelled.separator == ""
    few = len(labels) <= max(3, 0.05 * len(values)) and len(labels) <= 60
    if together and (outside >= 0.2 * len(values) or len(values) < 50):
        return 3
    return 1 if few and outside >= 0.3 * len(values) else 0


def _are_chunks(values: Sequence[str]) -> bool:
    """Are these the phrases of the CoNLL-2000 shared task?"""
    return {value[2:] for value in values if value[1:2] == "-"} <= _CHUNKS


def _examples(rows: _Rows, index: int) -> str:
    counted = Counter(value for value in rows.column(index) if value not in OUTSIDE_WORDS)
    return ", ".join(value for value, _ in counted.most_common(3)) or "O"


def _other_columns(
    rows: _Rows, tag: int, names: Sequence[str], rivals: frozenset[int] | set[int] = frozenset()
) -> tuple[str, ...]:
    """A name for every column, once that of the tags is known."""
    made = ["ignore"] * rows.width
    made[tag] = "tag"
    values = {index: rows.column(index) for index in range(rows.width) if index != tag and index not in rivals}
    for index in list(values):
        if _is_index(rows, index):
            made[index] = "id"
        elif names and names[index] in ("sentence", "language", "label", "id"):
            made[index] = names[index]
        else:
            continue
        del values[index]
    spoken = {i: v for i, v in values.items() if any(not _NUMBER.match(value) for value in v)} or values
    if names and "token" in names and names.index("token") in values:
        token = names.index("token")
    else:
        token = max(spoken or [0 if tag else 1], key=lambda index: (len(set(rows.column(index))), -index))
    made[token] = "token"
    for index in sorted(set(values) - {token}):
        if _is_sentence_label(rows, index) and "label" not in made:
            made[index] = "label"
        elif "pos" not in made and _are_pos(values[index]) and (not names or names[index] == "pos"):
            made[index] = "pos"
    return tuple(made)


def _is_index(rows: _Rows, index: int) -> bool:
    """Do the values count the tokens of each sentence, from 0 or 1?"""
    right = total = 0
    for sentence in rows.sentences:
        values = [fields[index] for fields in sentence]
        if not all(value.isascii() and value.isdigit() for value in values):
            return False
        right += sum(b in ("0", "1") or int(a[-9:]) + 1 == int(b[-9:]) for a, b in pairwise(["0", *values]))
        total += len(values)
    return right >= 0.9 * total


def _is_sentence_label(rows: _Rows, index: int) -> bool:
    """One value a sentence (slips aside), a few values a file; a handful of sentences does not tell."""
    values = [{fields[index] for fields in sentence} for sentence in rows.sentences]
    several = sum(len(found) > 1 for found in values)
    if several > 0.02 * len(values) or sum(map(len, rows.sentences)) < 3 * len(rows.sentences):
        return False
    return len(values) >= 5 and 2 <= len(set.union(*values)) <= max(2, len(values) // 2)


def _are_pos(values: Sequence[str]) -> bool:
    """Few different values, none of them rare as a word is, and none phrases of CoNLL-2000."""
    counted = Counter(values)
    few = len(counted) <= 150 and (len(counted) <= 0.1 * len(values) or len(values) < 500)
    varied = len(values) < 50 or (len(counted) > 2 and max(counted.values()) < 0.8 * len(values))
    return few and varied and not any(value == "" for value in counted) and not _are_chunks_of(counted)


def _are_chunks_of(counted: Counter[str]) -> bool:
    tagged = [value for value in counted if value[:2] in ("B-", "I-")]
    return bool(tagged) and {value[2:] for value in tagged} <= _CHUNKS


def _languages(tokens: Sequence[str]) -> tuple[str, ...]:
    """The language codes before the tokens (WikiANN's `en:London`), if all tokens of the sample have one."""
    found: set[str] = set()
    for token in tokens:
        match = _PREFIX_LANGUAGE.match(token)
        if match is None:
            return ()
        found.add(match[1])
    return tuple(sorted(found)) if len(found) <= 12 else ()


def _first(lines: Sequence[str]) -> str:
    return next((line for line in lines if not is_blank(line) and not is_comment(line)), "")[:80]


def _where_tags_stop(lines: Sequence[str]) -> str | None:
    """What to tell someone whose rows have a tag up to a line, and none after it."""
    for delimiter in DELIMITERS:
        rows = [(number, len(split_row(line, delimiter))) for number, line in enumerate(lines, 1) if not is_blank(line)]
        first = next((place for place, (_, width) in enumerate(rows) if width < 2), 0)
        is_column = len({width for _, width in rows[:first]}) == 1  # lines of prose differ
        if is_column and first >= _FEWEST_ROWS and all(width < 2 for _, width in rows[first:]):
            return (
                f"the tag column stops at line {rows[first][0]}: {first:,} rows before it have a tag, no row after it; "
                "expected a tag on every line; label the rest, or give --until "
                f"{rows[first][0] - 1} to use what is labelled, or write _ as the tag of what is not"
            )
    return None


def _no_tags(lines: Sequence[str]) -> str:
    """What to tell someone whose file shows no tag column."""
    if "\r" in lines[0] and len(lines) == 1:
        return "lines end in carriage returns (old Mac); convert them to line feeds"
    stop = _where_tags_stop(lines)
    if stop is not None:
        return stop
    return (
        f"no column holds entity tags; the first line is {_first(lines)!r}; expected a token and its tag on each line "
        '(B-PER, I-PER, O), or name the columns: --columns "token pos tag"'
    )
