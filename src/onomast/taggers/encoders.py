"""Encoders: sentences -> a hidden vector per word. What depends on a word alone is computed once per distinct word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from onomast.errors import RecipeError
from onomast.layers.attention import SelfAttention, SoftAttention
from onomast.layers.characters import CharacterCNN, CharacterLSTM
from onomast.layers.dropout import LockedDropout
from onomast.layers.embeddings import HashedEmbedding, random_vectors
from onomast.layers.lstm import INITIALISERS, BiLSTM
from onomast.layers.window import Window
from onomast.recipe import Encoder, Neural, Words
from onomast.sentence import Sentence
from onomast.taggers.vectors import CompactVectors
from onomast.taggers.vocabulary import AFFIX_BUCKETS, SHAPE_BUCKETS, UNKNOWN_WORD, Lexicon, Vocabulary, WordInputs


@dataclass(frozen=True)
class Inputs:
    """A batch: which words it has, and where."""

    numbers: Tensor
    """(W,) lexicon numbers of the distinct words"""
    places: Tensor
    """(B, T) the row in `numbers` of each token; 0 at padding"""
    mask: Tensor
    """(B, T) bool, True where a token is real"""


class LSTMEncoder(nn.Module):
    """Word, character, affix and shape vectors -> BiLSTM -> attention, with the words' own vectors beside it if wanted.

    `width` is that of a hidden vector. `vectors` are the rows of a vectors file; without them words start at random.
    """

    def __init__(self, recipe: Neural, vocabulary: Vocabulary, vectors: CompactVectors | None) -> None:
        super().__init__()
        settings = recipe.encoder
        self.lexicon = Lexicon(vocabulary, vectors, affixes=recipe.words.affixes)
        self.order = settings.order
        self.parts = nn.ModuleList(_part(name, recipe, vocabulary, vectors) for name in settings.order)
        width = sum(part.width for part in self.parts)  # type: ignore[misc]
        self.dropout = _dropout(settings)
        self.window = Window(width=width, positions=settings.skip) if settings.skip else None
        self.lstm = BiLSTM(width=width, hidden=settings.width, layers=settings.layers, dropout=_dropout(settings))
        self.attention = _attention(settings, self.lstm.width)
        self.width = self.lstm.width + (self.window.width if self.window else 0)
        INITIALISERS[settings.initialization](self)
        for part in self.parts:
            if isinstance(part, WordPart):
                part.start(vocabulary, vectors)
        self._cache: Tensor | None = None  # (lexicon, D) word vectors, while weights do not change
        self._cached: np.ndarray[Any, np.dtype[np.bool_]] = np.zeros(0, bool)
        self._generation = -1

    def train(self, mode: bool = True) -> LSTMEncoder:
        """Switch between training and tagging; either way the weights may have changed, so the cache is dropped."""
        self._cache = None
        return super().train(mode)

    def prepare(self, sentences: Sequence[Sentence]) -> Inputs:
        """Look the words of B sentences (each of one token or more) up."""
        rows = self.lexicon.numbers(sentences)
        distinct, inverse = np.unique(np.concatenate(rows), return_inverse=True)
        places = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros(places.shape, bool)
        start = 0
        for index, row in enumerate(rows):
            places[index, : len(row)] = inverse[start : start + len(row)]
            mask[index, : len(row)] = True
            start += len(row)
        device = next(self.parameters()).device
        return Inputs(*(torch.from_numpy(array).to(device) for array in (distinct, places, mask)))

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Inputs -> hidden vectors (B, T, D) and mask (B, T)."""
        words = self._words(inputs.numbers.cpu().numpy())  # (W, D')
        hidden = nn.functional.embedding(inputs.places, words)  # (B, T, D')
        hidden = self.dropout(hidden)
        window = [] if self.window is None else [self.window(hidden, inputs.mask)]
        hidden = self.dropout(self.lstm(hidden, inputs.mask))
        if self.attention is not None:
            hidden = self.attention(hidden, inputs.mask)
        return torch.cat([hidden, *window], -1) if window else hidden, inputs.mask  # (B, T, D)

    def _words(self, numbers: np.ndarray[Any, np.dtype[np.int64]]) -> Tensor:
        """(W, D') vectors of these words; remembered while tagging."""
        if torch.is_grad_enabled() or self.training:
            return self._encode(numbers)
        if self._cache is None or self._generation != self.lexicon.generation:
            self._cache, self._cached = None, np.zeros(0, bool)
            self._generation = self.lexicon.generation
        grown = len(self.lexicon.rows.words) - len(self._cached)
        self._cached = np.concatenate([self._cached, np.zeros(grown, bool)])
        missing = numbers[~self._cached[numbers]]
        if self._cache is None or len(missing):
            made = self._encode(missing if len(missing) else numbers)
            size = (len(self._cached), made.shape[1])
            if self._cache is None or len(self._cache) < size[0]:
                cache = made.new_zeros(size)
                if self._cache is not None:
                    cache[: len(self._cache)] = self._cache
                self._cache = cache
            self._cache[torch.from_numpy(missing if len(missing) else numbers).to(made.device)] = made
            self._cached[missing] = True
        return self._cache[torch.from_numpy(numbers).to(self._cache.device)]

    def _encode(self, numbers: np.ndarray[Any, np.dtype[np.int64]]) -> Tensor:
        """(W, D') vectors of these words, in the recipe's order."""
        inputs = self.lexicon.inputs(numbers)
        device = next(self.parameters()).device
        return torch.cat([part(inputs, device) for part in self.parts], 1)


class WordPart(nn.Module):
    """Word embeddings: learnt from scratch, or the rows of a vectors file, frozen, projected or tuned.

    Tuned rows exist for the words of the vocabulary; other words keep their vectors from the file.
    """

    def __init__(self, settings: Words, vocabulary: Vocabulary, vectors: CompactVectors | None) -> None:
        super().__init__()
        self.dropout = settings.dropout
        self.with_vectors = vectors is not None
        self.table: nn.Embedding | None = None
        self.projection: nn.Linear | None = None
        rows = len(vocabulary.words) + 2
        if vectors is None:
            self.width = settings.width
            first = random_vectors(count=rows, width=settings.width) * settings.scale * settings.width**0.5
            self.table = nn.Embedding(rows, settings.width, padding_idx=0, _weight=first)
            return
        self.width = vectors.width
        if settings.mode == "tuned":
            self.table = nn.Embedding(rows, vectors.width, padding_idx=0, _weight=torch.zeros(rows, vectors.width))
        elif settings.mode == "projected":
            self.width = settings.width
            self.projection = nn.Linear(vectors.width, settings.width, bias=False)

    def start(self, vocabulary: Vocabulary, vectors: CompactVectors | None) -> None:
        """Put the vectors of the file into the tuned table; after every other weight has its first value."""
        if self.table is not None and vectors is not None and vocabulary.words:
            self.table.weight.data[2:] = torch.from_numpy(vectors.rows(vocabulary.words)[0])
            self.table.weight.data[:2] = 0.0  # padding and unknown

    def forward(self, inputs: WordInputs, device: torch.device) -> Tensor:
        """W distinct words -> (W, width)."""
        ids = torch.from_numpy(inputs.words).to(device)
        kept = torch.rand(len(ids), device=device) >= self.dropout if self.training and self.dropout else None
        if not self.with_vectors:
            assert self.table is not None
            found: Tensor = self.table(ids if kept is None else ids.where(kept, UNKNOWN_WORD))
            return found
        vectors = torch.from_numpy(inputs.vectors).to(device)  # (W, E)
        if self.table is not None:
            vectors = torch.where((ids > UNKNOWN_WORD)[:, None], self.table(ids), vectors)
        if kept is not None:
            vectors = vectors * kept[:, None]
        return vectors if self.projection is None else self.projection(vectors)


class CharacterPart(nn.Module):
    """A character encoder of `layers.characters`."""

    def __init__(self, encoder: CharacterLSTM | CharacterCNN) -> None:
        super().__init__()
        self.encoder = encoder
        self.width = encoder.width

    def forward(self, inputs: WordInputs, device: torch.device) -> Tensor:
        """W distinct words -> (W, width)."""
        return self.encoder.encode(
            torch.from_numpy(inputs.characters).to(device), torch.from_numpy(inputs.lengths).to(device)
        )


class HashedPart(nn.Module):
    """Affixes or the shape of a word, hashed."""

    def __init__(self, table: HashedEmbedding, source: str) -> None:
        super().__init__()
        self.table = table
        self.source = source
        self.width = table.width

    def forward(self, inputs: WordInputs, device: torch.device) -> Tensor:
        """W distinct words -> (W, width)."""
        hashes = inputs.affixes if self.source == "affix" else inputs.shapes[:, None]  # (W, F)
        return self.table.encode(torch.from_numpy(hashes).to(device))


def _part(name: str, recipe: Neural, vocabulary: Vocabulary, vectors: CompactVectors | None) -> nn.Module:
    words, characters = recipe.words, recipe.characters
    if name == "word":
        return WordPart(words, vocabulary, vectors)
    if name == "affix":
        if not words.affixes:
            raise RecipeError(
                "is 0, but the encoder's order names affix; give a number of characters", key="neural.words.affixes"
            )
        table = HashedEmbedding(
            features=2 * words.affixes, buckets=AFFIX_BUCKETS, vector_width=words.affix_width, combine="concatenate"
        )
        return HashedPart(table, name)
    if name == "shape":
        if not words.shape_width:
            raise RecipeError("is 0, but the encoder's order names shape; give a width", key="neural.words.shape_width")
        return HashedPart(HashedEmbedding(features=1, buckets=SHAPE_BUCKETS, vector_width=words.shape_width), name)
    dropout = nn.Dropout(characters.dropout) if characters.dropout else None
    known = len(vocabulary.characters) + 2
    if characters.kind == "lstm":
        lstm = CharacterLSTM(
            characters=known, vector_width=characters.embedding, hidden=characters.width, dropout=dropout
        )
        return CharacterPart(lstm)
    return CharacterPart(
        CharacterCNN(
            characters=known,
            vector_width=characters.embedding,
            filters=characters.width,
            sizes=characters.sizes,
            dropout=dropout,
        )
    )


def _dropout(settings: Encoder) -> nn.Module:
    if settings.dropout_kind == "locked":
        return LockedDropout(probability=settings.dropout)
    return nn.Dropout(settings.dropout)


def _attention(settings: Encoder, width: int) -> nn.Module | None:
    if settings.attention == "none":
        return None
    if settings.attention == "soft":
        return SoftAttention(width=width, residual=settings.residual, dropout=_dropout(settings))
    if width % settings.attention_heads:
        raise RecipeError(
            f"{settings.attention_heads} heads do not divide a hidden width of {width}",
            key="neural.encoder.attention_heads",
        )
    return SelfAttention(
        width=width,
        heads=settings.attention_heads,
        scale=settings.attention,
        residual=settings.residual,
        dropout=_dropout(settings),
    )
