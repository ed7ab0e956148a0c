"""Write a labelled file in another format, or a file in another script, and say what could not be converted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from onomast.apps.inputs import read_labelled
from onomast.data.catalogue import resolve
from onomast.data.formats.registry import WRITERS, write, writer_for, writer_of
from onomast.data.input_file import write_chunks
from onomast.data.raw_text import read_blocks
from onomast.data.transliteration.scripts import convert_token, require_script, rewritten
from onomast.errors import DataError
from onomast.files import is_same_file
from onomast.sentence import Sentence

_RECORDS = ("doccano", "label-studio", "prodigy")  # what is read of these is written as JSONL
_LONGEST = 1 << 20  # characters of a word of raw text; a longer one is cut
_SHOWN = 10  # characters that are named in a summary


@dataclass
class Tally:
    """What was converted, and what was not."""

    script: str
    tokens: int = 0
    changed: int = 0
    tokens_left: int = 0
    """Tokens of which a character, or all, stayed as it was though of another script."""
    left: Counter[str] = field(default_factory=Counter)
    """Those characters, and how often."""
    lost: Counter[str] = field(default_factory=Counter)
    """Characters for which the script has no letter of its own, and how often."""

    def count(self, token: str) -> str:
        """Convert and count a token; its new form."""
        made = convert_token(token, self.script)
        self.tokens += 1
        self.changed += made.text != token
        self.tokens_left += bool(made.left)
        self.left.update(made.left)
        self.lost.update(made.lost)
        return made.text

    def __str__(self) -> str:
        lines = [f"{self.tokens:,} tokens, {self.changed:,} of them changed by the conversion to {self.script}"]
        if self.left:
            lines.append(
                f"left as they were: {self.left.total():,} characters of {self.tokens_left:,} tokens"
                f" ({_named(self.left)})"
            )
        if self.lost:
            lines.append(
                f"without a letter of their own, so written with a near one or left out: {self.lost.total():,} "
                f"characters ({_named(self.lost)})"
            )
        return "\n".join(lines)


def convert_format(file: str, out: str, *, format: str | None = None, columns: str | None = None) -> int:
    """Write a labelled file in the format (a name of WRITERS) that is named, or that the suffix of `out` stands for.

    Returns the number of sentences. Raises DataError for a file that cannot be read, a suffix that stands for no
    format, and sentences that the format cannot hold.
    """
    format = format or writer_for(out)
    if is_same_file(resolve(file), out):
        raise DataError("is the input; expected another file, as the input would be lost", path=out)
    reading = read_labelled(file, columns=columns)
    write(reading.sentences, out, format=format, style=reading.style or "iob2")
    return len(reading.sentences)


def convert_file(file: str, script: str, out: str, *, columns: str | None = None) -> Tally:
    """Write a labelled file with its tokens in another script; tags, POS and labels stay as they are.

    The format is the one that the name `out` calls for, or else that of the file, or columns where that cannot be
    written. Raises OnomastError for an unknown script, MissingExtra, DataError for a file that cannot be read.
    """
    require_script(script)
    reading = read_labelled(file, columns=columns)
    tally = Tally(script)
    name = "jsonl" if reading.format in _RECORDS else reading.format
    format = writer_of(out) or (name if name in WRITERS else "columns")

    def made() -> Iterator[Sentence]:
        for sentence in reading.sentences:
            for token in sentence.tokens:
                tally.count(token)
            yield rewritten(sentence, script)

    write(made(), out, format=format, style=reading.style or "iob2")
    return tally


def convert_text(file: str, script: str, out: str) -> Tally:
    """Write raw text in another script, word by word; white space stays as it is. It streams."""
    require_script(script)
    tally = Tally(script)
    write_chunks(out, _in_script(read_blocks(resolve(file)), tally))
    return tally


def _in_script(pieces: Iterable[str], tally: Tally) -> Iterator[str]:
    """The text in pieces that end between words, whichever pieces it came in."""
    held = ""
    for piece in pieces:
        held += piece
        words = re.split(r"(\s+)", held)
        held = "" if len(words[-1]) > _LONGEST else words.pop()
        yield "".join(word if not word or word.isspace() else tally.count(word) for word in words)
    if held:
        yield tally.count(held)


def _named(characters: Counter[str]) -> str:
    """The commonest, by their looks where they have any, with their numbers."""
    shown = [
        f"{character if character.isprintable() else f'U+{ord(character):04X}'} {count:,}"
        for character, count in characters.most_common(_SHOWN)
    ]
    rest = len(characters) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")
