"""The encoder that a recipe describes: built for the sentences of a training, or read from a model folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from onomast.errors import RecipeError
from onomast.recipe import Neural
from onomast.sentence import Sentence
from onomast.taggers.neural.encoder import Encoder
from onomast.taggers.neural.lstm_encoder import LSTMEncoder
from onomast.taggers.neural.vocabulary import Vocabulary, build_vocabulary
from onomast.vectors.files import CompactVectors, coverage_warning, open_vectors

if TYPE_CHECKING:
    from onomast.pretrained.contextual import ContextualVectors


@dataclass(frozen=True)
class EncoderBuilder:
    """Builds encoders with new first weights for one training: one for each network, and for each reset of a stage."""

    recipe: Neural
    learnt: Sequence[Sentence]
    """All sentences that are learnt from."""
    dev: Sequence[Sentence]

    def __call__(self) -> Encoder:
        """A new encoder; its first weights are drawn from torch's random state."""
        if self.recipe.triggers.kind != "none":
            from onomast.taggers.triggers.encoder import TriggerEncoder

            tagger = self._encoder() if self.recipe.triggers.lstm == "separate" else None
            return TriggerEncoder(self._encoder(), tagger, self.recipe.triggers)
        return self._encoder()

    def _encoder(self) -> Encoder:
        if self.recipe.pretrained.model:
            from onomast.taggers.neural.transformer_encoder import TransformerEncoder

            return TransformerEncoder.pretrained(self.recipe, self.languages)
        encoder = LSTMEncoder(self.recipe, self.vocabulary, self.vectors, self.context)
        encoder.number_words((*self.learnt, *self.dev))
        return encoder

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Those of the sentences, in the order in which they first occur."""
        return tuple(dict.fromkeys(sentence.language or "" for sentence in self.learnt))

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Words and characters of the sentences."""
        words = self.recipe.words
        separate = "words" not in self.recipe.sharing and len(self.languages) > 1
        empty = Vocabulary((), (), words.lower, self.languages, apart=separate)
        return build_vocabulary(self.learnt, min_count=words.min_count, settings=empty)

    @cached_property
    def vectors(self) -> CompactVectors | None:
        """The rows of the vectors file that the tagger keeps; None where the recipe uses no vectors."""
        settings = self.recipe.words
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
        return open_vectors(Path(settings.vectors)).compact(self._words, ngram_rows=settings.ngram_rows)

    @cached_property
    def context(self) -> ContextualVectors | None:
        """The pre-trained encoder that is read beside the words, once it has read all sentences; None without one."""
        if "context" not in self.recipe.encoder.order:
            return None
        from onomast.taggers.neural.context_part import new_vectors

        vectors = new_vectors(self.recipe.context)
        vectors.of([sentence.tokens for sentence in (*self.learnt, *self.dev)])
        vectors.flush()
        vectors.release()
        return vectors

    def notes(self) -> list[str]:
        """What the user should know about the vectors file."""
        if self.recipe.pretrained.model or self.vectors is None:
            return []
        warning = coverage_warning(self.vectors.rows(self._words)[1])
        return [f"{self.recipe.words.vectors}: {warning}"] if warning else []

    @property
    def _words(self) -> list[str]:
        """Every word of the sentences once, as it is looked up in the vectors file."""
        tokens = {token for sentence in (*self.learnt, *self.dev) for token in sentence.tokens}
        return sorted({token.lower() for token in tokens} if self.recipe.words.lower else tokens)


def saved_encoder(recipe: Neural, vocabulary: Mapping[str, Any], tensors: dict[str, Tensor], folder: Path) -> Encoder:
    """The encoder of a model folder, its weights not yet loaded; removes the encoder's extra tensors from `tensors`."""
    encoder: Encoder
    if recipe.pretrained.model:
        from onomast.taggers.neural.transformer_encoder import TransformerEncoder

        encoder = TransformerEncoder.saved(recipe, vocabulary, folder)
    else:
        encoder = LSTMEncoder.saved(recipe, vocabulary, tensors, folder)
    if recipe.triggers.kind == "none":
        return encoder
    from onomast.taggers.triggers.encoder import TriggerEncoder

    return TriggerEncoder.saved(encoder, recipe.triggers, vocabulary)


def require_fitting_sizes(recipe: Neural, tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError if the weights are fewer than a network of the recipe's sizes has: before it is built."""
    encoders = {name.split(".")[2] for name in tensors if name.startswith("encoder.members.")}
    if recipe.ensemble_size > 1 and len(encoders) != recipe.ensemble_size:
        raise ValueError(
            f"neural.ensemble_size is {recipe.ensemble_size}, and the weights are of {len(encoders) or 1} networks"
        )
    if recipe.pretrained.model:
        return
    settings = recipe.encoder
    least = 2 * settings.layers * 4 * settings.width**2  # the recurrent weights of both directions
    least += 4 * recipe.characters.width**2 * settings.order.count("char") if recipe.characters.kind == "lstm" else 0
    weights = sum(value.numel() for value in tensors.values())
    if recipe.ensemble_size * least > weights:
        raise ValueError(
            f"neural.encoder.width is {settings.width}, which needs {least:,} weights or more; there are {weights:,}"
        )
