"""The encoder that a recipe asks for: made for the sentences of a training, or read from a model folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from onomast.errors import RecipeError
from onomast.recipe import Neural
from onomast.sentence import Sentence
from onomast.taggers.neural.lstm_encoder import LSTMEncoder
from onomast.taggers.neural.network import Encoder
from onomast.taggers.neural.vocabulary import Vocabulary, build_vocabulary
from onomast.vectors.files import CompactVectors, coverage_warning, open_vectors


def new_encoder(recipe: Neural, learnt: Sequence[Sentence], dev: Sequence[Sentence], notes: list[str]) -> Encoder:
    """An encoder for the sentences that are learnt from, and those it is evaluated on; `notes` gets warnings."""
    languages = tuple(dict.fromkeys(sentence.language or "" for sentence in learnt))
    if recipe.pretrained.model:
        from onomast.taggers.neural.transformer_encoder import TransformerEncoder

        return TransformerEncoder.pretrained(recipe, languages)
    settings = Vocabulary(
        (), (), recipe.words.lower, languages, apart="words" not in recipe.sharing and len(languages) > 1
    )
    vocabulary = build_vocabulary(learnt, min_count=recipe.words.min_count, settings=settings)
    encoder = LSTMEncoder(recipe, vocabulary, _vectors(recipe, (*learnt, *dev), notes))
    encoder.start((*learnt, *dev))
    return encoder


def saved_encoder(recipe: Neural, known: Mapping[str, Any], tensors: dict[str, Tensor], folder: Path) -> Encoder:
    """The encoder of a model folder, its weights not yet loaded; takes what is no weight out of `tensors`."""
    if recipe.pretrained.model:
        from onomast.taggers.neural.transformer_encoder import TransformerEncoder

        return TransformerEncoder.restored(recipe, known, folder)
    return LSTMEncoder.restored(recipe, known, tensors)


def _vectors(recipe: Neural, sentences: Sequence[Sentence], notes: list[str]) -> CompactVectors | None:
    """The rows of the vectors file that a tagger keeps."""
    settings = recipe.words
    if settings.vectors is None:
        if settings.mode == "random":
            return None
        raise RecipeError(
            f"is absent, but mode {settings.mode} starts from a file; give --vectors FILE, or --raw TEXT to learn "
            "vectors first, or --set neural.words.mode=random",
            key="neural.words.vectors",
        )
    if settings.mode == "random":
        raise RecipeError(
            "is random, so the vectors file would be of no use; take --recipe small-vectors, or another mode",
            key="neural.words.mode",
        )
    tokens = {token for sentence in sentences for token in sentence.tokens}
    words = sorted({token.lower() for token in tokens} if settings.lower else tokens)
    vectors = open_vectors(Path(settings.vectors)).compact(words, ngram_rows=settings.ngram_rows)
    warning = coverage_warning(vectors.rows(words)[1])
    notes += [f"{settings.vectors}: {warning}"] if warning else []
    return vectors
