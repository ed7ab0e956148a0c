"""Sentences -> sub-words -> the vectors of words, by the graph `encoder.onnx` of an exported pre-trained encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from onomast.errors import MissingExtra
from onomast.pretrained.subwords import WordPieces, chunks_of
from onomast.recipe import Neural
from onomast.sentence import Sentence
from onomast.taggers.neural.vocabulary import shape_id


class FastTokenizer:
    """A tokenizer.json, with as much of transformers' interface as `WordPieces` asks for."""

    is_fast = True

    def __init__(self, path: Path, special: Mapping[str, int | None]) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise MissingExtra("tokenizers", "onnx") from None
        self._tokenizer: Any = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.unk_token_id = special["unk_token_id"]
        self.mask_token_id = special["mask_token_id"]
        self.sep_token_id = special["sep_token_id"]
        self.pad_token_id = special["pad_token_id"]

    def __call__(self, words: list[list[str]], *, add_special_tokens: bool, **_: Any) -> dict[str, list[list[int]]]:
        """Ids of texts that are split into words."""
        made = self._tokenizer.encode_batch(words, is_pretokenized=True, add_special_tokens=add_special_tokens)
        return {"input_ids": [one.ids for one in made]}


class Subwords:
    """Vectors of words from the graph `encoder.onnx`, laid out for `tagger.onnx`; `session` runs the graph."""

    def __init__(self, session: Any, tokenizer: FastTokenizer, known: Mapping[str, Any], recipe: Neural) -> None:
        self._languages = list(known["languages"])
        self.one_language = len(self._languages) > 1 and "transitions" not in recipe.sharing
        """Whether a batch must be of one language."""
        self._session = session
        self._pieces = WordPieces(tokenizer)
        self._size = int(known["window"])
        self._pooling = recipe.pretrained.pooling

    def language(self, sentence: Sentence) -> int:
        """Place of the sentence's language among those the tagger knows; 0, the target's, for one never met."""
        language = sentence.language or ""
        return self._languages.index(language) if language in self._languages else 0

    def feeds(self, sentences: Sequence[Sentence]) -> dict[str, npt.NDArray[Any]]:
        """The inputs of `tagger.onnx` for B sentences (each of one token or more, of one language where it matters)."""
        words = [self._pieces.of(sentence.tokens) for sentence in sentences]
        rows = [np.array([piece for word in row for piece in word], np.int64) for row in words]
        counts = np.array([len(word) for row in words for word in row], np.int64)
        lengths = np.array([len(sentence) for sentence in sentences], np.int64)
        places = np.zeros((len(sentences), int(lengths.max())), np.int64)
        start = 0
        for number, length in enumerate(lengths.tolist()):
            places[number, :length] = np.arange(start, start + length)
            start += length
        shapes = [shape_id(token) for sentence in sentences for token in sentence.tokens]
        return {
            "made": self._vectors(rows, counts),
            "shapes": np.array(shapes, np.int64),
            "places": places,
            "lengths": lengths,
            "language": np.array(self.language(sentences[0]), np.int64),
        }

    def _vectors(self, rows: list[npt.NDArray[np.int64]], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """(W, D) vectors of the words of sentences given as sub-words, `counts` (W,) of them for each word."""
        ends = np.cumsum(counts)
        wanted = np.ones(int(ends[-1]), bool)
        if self._pooling != "mean":
            wanted[:] = False
            wanted[ends - counts if self._pooling == "first" else ends - 1] = True
        marks = np.split(wanted, np.cumsum([len(row) for row in rows])[:-1])
        made: npt.NDArray[np.float32] = np.zeros((0, 0), np.float32)
        for chunk in chunks_of(rows, marks, self._pieces, self._size):
            (hidden,) = self._session.run(["hidden"], {"ids": chunk.ids, "attended": chunk.attended})
            if not made.size:
                made = np.zeros((int(wanted.sum()), hidden.shape[2]), np.float32)
            made[chunk.wanted] = hidden[chunk.rows, chunk.columns]
        if self._pooling != "mean":
            return made
        means: npt.NDArray[np.float32] = np.add.reduceat(made, ends - counts, axis=0, dtype=np.float32)
        means /= counts[:, None]
        return means
