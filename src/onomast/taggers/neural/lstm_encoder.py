"""LSTMEncoder: words, characters, affixes and shapes -> BiLSTM.

What depends on a word alone is computed once for each distinct word of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from onomast.recipe import LSTMSettings, Neural, Part, Words
from onomast.sentence import Sentence
from onomast.taggers.neural.context_part import ContextPart, saved_vectors
from onomast.taggers.neural.encoder import EncoderState, PerLanguage, language_index, of_language
from onomast.taggers.neural.vocabulary import (
    AFFIX_BUCKETS,
    SHAPE_BUCKETS,
    UNKNOWN_WORD,
    Lexicon,
    Vocabulary,
    WordInputs,
)
from onomast.training.optimizers import ParameterGroup
from onomast.vectors.files import CompactVectors

if TYPE_CHECKING:
    from onomast.pretrained.contextual import ContextualVectors

_VECTORS = "vectors."  # prefix of the compact vectors among the tensors


@dataclass(frozen=True)
class WordBatch:
    """A batch: which words it has, and where."""

    numbers: Tensor
    """(W,) lexicon numbers of the distinct words"""
    places: Tensor
    """(B, T) the row in `numbers` of each token; 0 at padding"""
    mask: Tensor
    """(B, T) bool, True where a token is real"""
    language: int
    """index of the batch's language; that of the first sentence where languages share all parts"""
    context: Tensor | None = None
    """(B, T, L, C) vectors of a pre-trained encoder, where the recipe has them"""


class LSTMEncoder(nn.Module):
    """Word, character, affix and shape vectors -> BiLSTM -> attention, with the words' own vectors beside it if wanted.

    `width` is that of a hidden vector. `vectors` are the rows of a vectors file; without them words start at random.
    """

    def __init__(
        self,
        recipe: Neural,
        vocabulary: Vocabulary,
        vectors: CompactVectors | None,
        context: ContextualVectors | None = None,
    ) -> None:
        super().__init__()
        settings = recipe.encoder
        several = len(vocabulary.languages) > 1
        own = {part for part in ("characters", "lstm", "transitions") if several and part not in recipe.sharing}
        self.lexicon = Lexicon(
            vocabulary,
            vectors,
            affixes=recipe.words.affixes,
            by_language=vocabulary.apart or "characters" in own,
        )
        self.one_language = bool(own)
        self.recipe = recipe
        self.languages = vocabulary.languages
        self.order = settings.order

        def each(name: str, build: Callable[[], nn.Module]) -> nn.Module:
            return PerLanguage(build() for _ in vocabulary.languages) if name in own else build()

        self.parts = nn.ModuleList(
            each("characters" if name == "char" else name, partial(_part, name, recipe, vocabulary, vectors))
            for name in settings.order
            if name != "context"
        )
        width = sum(part.width for part in self.parts)  # type: ignore[misc]
        self.context = None if context is None else ContextPart(recipe.context, context)
        width += 0 if self.context is None else self.context.width
        self.dropout = _dropout(settings)
        self.window = Window(width=width, positions=settings.skip) if settings.skip else None
        self.lstm = each(
            "lstm",
            lambda: BiLSTM(width=width, hidden=settings.width, layers=settings.layers, dropout=_dropout(settings)),
        )
        self.attention = _attention(settings, 2 * settings.width)
        self.width = 2 * settings.width + (self.window.width if self.window else 0)
        INITIALISERS[settings.initialization](self)
        for part in self.parts:
            if isinstance(part, WordPart):
                part.load_vectors(vocabulary, vectors)
        self._cache: Tensor | None = None  # (lexicon, D) word vectors, while weights do not change
        self._cached: np.ndarray[Any, np.dtype[np.bool_]] = np.zeros(0, bool)
        self._generation = -1

    def train(self, mode: bool = True) -> LSTMEncoder:
        """Switch between training and tagging; either way the weights may have changed, so the cache is dropped."""
        self._cache = None
        return super().train(mode)

    def number_words(self, sentences: Sequence[Sentence]) -> None:
        """Enter all words of a training in one fixed order: a resumed run then adds them up in the same order."""
        self.lexicon.numbers(sentences)

    def lengths(self, sentences: Sequence[Sentence]) -> list[int]:
        """Words of each sentence."""
        return [len(sentence) for sentence in sentences]

    def named_parts(self) -> dict[Part, list[nn.Module]]:
        """The modules that each name of a part in a recipe stands for."""
        words = [layer for layer in self.parts if isinstance(layer, WordPart)]
        others = [layer for layer in self.parts if not isinstance(layer, WordPart)]
        return {"words": list(words), "characters": others, "lstm": [self.lstm], "encoder": [self]}

    def parameter_groups(self) -> Mapping[str, ParameterGroup]:
        """None: everything learns at the recipe's rate."""
        return {}

    def state(self) -> EncoderState:
        """The vocabulary, and the rows of the vectors file."""
        vectors = self.lexicon.vectors
        arrays = {} if vectors is None else vectors.tensors()
        vocabulary = {**asdict(self.lexicon.vocabulary), "vectors": [] if vectors is None else list(vectors.words)}
        extra = {_VECTORS + name: torch.from_numpy(array) for name, array in arrays.items()}
        if self.context is None:
            return EncoderState(vocabulary, extra)
        return EncoderState({**vocabulary, "context": self.context.state()}, extra, self.context.write_files)

    @classmethod
    def saved(cls, recipe: Neural, state: Mapping[str, Any], tensors: dict[str, Tensor], folder: Path) -> LSTMEncoder:
        """The encoder of `state()`, its weights not yet loaded; removes its extra tensors from `tensors`."""
        words, characters, languages = (tuple(state[name]) for name in ("words", "characters", "languages"))
        vocabulary = Vocabulary(words, characters, state["lower"], languages, state["apart"])
        names = [name for name in tensors if name.startswith(_VECTORS)]
        arrays = {name.removeprefix(_VECTORS): tensors.pop(name).numpy() for name in names}
        vectors = CompactVectors.from_tensors(arrays, state["vectors"]) if arrays else None
        with_context = "context" in recipe.encoder.order
        context = saved_vectors(recipe.context, state["context"], folder) if with_context else None
        return cls(recipe, vocabulary, vectors, context)

    def prepare(self, sentences: Sequence[Sentence]) -> WordBatch:
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
        numbers, placed, real = (torch.from_numpy(array).to(device) for array in (distinct, places, mask))
        context = None if self.context is None else self.context.prepare(sentences, device)
        return WordBatch(numbers, placed, real, language_index(self.languages, sentences[0]), context)

    def forward(self, inputs: WordBatch) -> tuple[Tensor, Tensor]:
        """WordBatch -> hidden vectors (B, T, D) and mask (B, T)."""
        words = self._words(inputs.numbers.cpu().numpy(), inputs.language)  # (W, D')
        lstm: BiLSTM = of_language(self.lstm, inputs.language)  # type: ignore[assignment]
        window = []
        if self.training or self.window is not None or self.context is not None:
            hidden = nn.functional.embedding(inputs.places, words)  # (B, T, D')
            if self.context is not None:
                hidden = torch.cat([hidden, self.context(inputs.context).to(hidden.dtype)], -1)
            hidden = self.dropout(hidden)
            window = [] if self.window is None else [self.window(hidden, inputs.mask)]
        if self.training or self.context is not None:
            hidden = self.dropout(lstm(hidden, inputs.mask))
        else:
            hidden = lstm.read(words, inputs.places, inputs.mask)
        if self.attention is not None:
            hidden = self.attention(hidden, inputs.mask)
        return torch.cat([hidden, *window], -1) if window else hidden, inputs.mask  # (B, T, D)

    def _words(self, numbers: np.ndarray[Any, np.dtype[np.int64]], language: int) -> Tensor:
        """(W, D') vectors of these words; remembered while tagging."""
        if torch.is_grad_enabled() or self.training:
            return self._encode(numbers, language)
        if self._cache is None or self._generation != self.lexicon.generation:
            self._cache, self._cached = None, np.zeros(0, bool)
            self._generation = self.lexicon.generation
        grown = len(self.lexicon.rows.words) - len(self._cached)
        self._cached = np.concatenate([self._cached, np.zeros(grown, bool)])
        missing = numbers[~self._cached[numbers]]
        if self._cache is None or len(missing):
            encoded = self._encode(missing if len(missing) else numbers, language)
            size = (len(self._cached), encoded.shape[1])
            if self._cache is None or len(self._cache) < size[0]:
                cache = encoded.new_zeros(size)
                if self._cache is not None:
                    cache[: len(self._cache)] = self._cache
                self._cache = cache
            self._cache[torch.from_numpy(missing if len(missing) else numbers).to(encoded.device)] = encoded
            self._cached[missing] = True
        return self._cache[torch.from_numpy(numbers).to(self._cache.device)]

    def _encode(self, numbers: np.ndarray[Any, np.dtype[np.int64]], language: int) -> Tensor:
        """(W, D') vectors of these words, in the recipe's order."""
        inputs = self.lexicon.inputs(numbers)
        device = next(self.parameters()).device
        return torch.cat([of_language(part, language)(inputs, device) for part in self.parts], 1)


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

    def load_vectors(self, vocabulary: Vocabulary, vectors: CompactVectors | None) -> None:
        """Put the vectors of the file into the tuned table; after every other weight has its first value."""
        if self.table is not None and vectors is not None and vocabulary.words:
            self.table.weight.data[2:] = torch.from_numpy(vectors.rows(vocabulary.spellings)[0])
            self.table.weight.data[:2] = 0.0  # padding and unknown

    def forward(self, inputs: WordInputs, device: torch.device) -> Tensor:
        """W distinct words -> (W, width)."""
        ids = torch.from_numpy(inputs.words).to(device)
        kept = torch.rand(len(ids), device=device) >= self.dropout if self.training and self.dropout else None
        if not self.with_vectors:
            assert self.table is not None
            embedded: Tensor = self.table(ids if kept is None else ids.where(kept, UNKNOWN_WORD))
            return embedded
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

    def __init__(self, table: HashedEmbedding, name: str) -> None:
        super().__init__()
        self.table = table
        self.name = name
        self.width = table.width

    def forward(self, inputs: WordInputs, device: torch.device) -> Tensor:
        """W distinct words -> (W, width)."""
        hashes = inputs.affixes if self.name == "affix" else inputs.shapes[:, None]  # (W, F)
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


def _dropout(settings: LSTMSettings) -> nn.Module:
    if settings.dropout_kind == "locked":
        return LockedDropout(probability=settings.dropout)
    return nn.Dropout(settings.dropout)


def _attention(settings: LSTMSettings, width: int) -> nn.Module | None:
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
