"""What the linear tagger knows beyond its training sentences: word lists and word clusters, and their files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onomast.data.phrase_matching import lengths_of, longest_matches
from onomast.data.transliteration.scripts import convert_token
from onomast.errors import RecipeError
from onomast.recipe import Features

_LISTS = "linear.features.lists"
_CLUSTERS = "linear.features.clusters"


class WordList:
    """Entries of one or more words; finds them in sentences, the longest first, in the case they are written in."""

    def __init__(self, name: str, entries: Iterable[str]) -> None:
        self.name = name
        self._phrases = {tuple(entry.split()) for entry in entries}
        self._lengths = lengths_of(self._phrases)

    def match(self, tokens: Sequence[str]) -> list[str]:
        """The place of each of T tokens in an entry: `B`, `I`, `E`, `S`, or empty outside. Greedy from the left."""
        marks = [""] * len(tokens)
        for start, end in longest_matches(tokens, self._phrases, self._lengths):
            marks[start:end] = ["B", *["I"] * (end - start - 2), "E"] if end - start > 1 else ["S"]
        return marks


@dataclass(frozen=True)
class Resources:
    """The contents of the files that feature templates name, to be saved with the tagger."""

    lists: Mapping[str, bytes]
    """Name of the list -> its file."""
    clusters: bytes | None = None

    @classmethod
    def read(cls, templates: Features) -> Resources:
        """Read the files. Raises RecipeError naming the field when one is missing, or two lists share a name."""
        lists: dict[str, bytes] = {}
        for name in templates.lists:
            if Path(name).stem in lists:
                raise RecipeError(f"two files are called {Path(name).stem!r}; rename one", key=_LISTS)
            lists[Path(name).stem] = _read(name, _LISTS)
        return cls(lists, None if templates.clusters is None else _read(templates.clusters, _CLUSTERS))

    def word_lists(self, script: str = "") -> list[WordList]:
        """The lists, ready to match; `script`: that into which the recipe converts tokens."""
        texts = {name: _text(content, name, _LISTS) for name, content in self.lists.items()}
        return [WordList(name, [_in(script, entry) for entry in text.splitlines()]) for name, text in texts.items()]

    def cluster_of(self, script: str = "") -> dict[str, str]:
        """Word -> cluster, the words in `script` if one is given. Raises RecipeError for a line without a tab."""
        found: dict[str, str] = {}
        text = "" if self.clusters is None else _text(self.clusters, "the file", _CLUSTERS)
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                continue
            word, tab, cluster = line.rstrip("\r").partition("\t")
            if not tab or not cluster.strip():
                raise RecipeError(f"line {number} is {line!r}; expected a word, a tab and its cluster", key=_CLUSTERS)
            found[_in(script, word)] = cluster.strip()
        return found

    def files(self) -> dict[str, bytes]:
        """Name in the model folder -> contents."""
        files = {f"lists/{name}.txt": content for name, content in self.lists.items()}
        return files if self.clusters is None else {**files, "clusters.tsv": self.clusters}

    def located(self, templates: Features, folder: Path | None) -> Features:
        """The templates with the names that the files have in the model folder, or with their paths there."""
        names = [f"lists/{name}.txt" for name in self.lists]
        clusters = None if self.clusters is None else "clusters.tsv"
        if folder is not None:
            names = [str(folder / name) for name in names]
            clusters = clusters and str(folder / clusters)
        return dataclasses.replace(templates, lists=tuple(names), clusters=clusters)


def _in(script: str, entry: str) -> str:
    """An entry of one or more words in the script that the tagger sees."""
    return " ".join(convert_token(word, script).text for word in entry.split()) if script else entry


def _read(name: str, key: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise RecipeError(f"{name}: {reason}; expected the path of a text file", key=key) from None


def _text(content: bytes, name: str, key: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{name}: byte {error.start} is not UTF-8; save it as UTF-8", key=key) from None
