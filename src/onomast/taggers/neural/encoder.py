"""The contract between encoders and the rest of the neural tagger, and what depends on a sentence's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from onomast.recipe import Part
from onomast.sentence import Sentence
from onomast.training.optimizers import ParameterGroup


class EncoderInputs(Protocol):
    """A batch of sentences as an encoder's `forward` takes it."""

    @property
    def language(self) -> int:
        """Index of the batch's language in the encoder's `languages`."""
        ...


def _no_files(folder: Path) -> list[str]:  # noqa: ARG001 - the shape of EncoderState.write_files
    return []


@dataclass(frozen=True)
class EncoderState:
    """What a model folder keeps of an encoder beside its weights."""

    vocabulary: Mapping[str, Any]
    """For vocabulary.json."""
    extra_tensors: Mapping[str, Tensor] = field(default_factory=dict)
    """Tensors that are not weights, saved with them."""
    write_files: Callable[[Path], list[str]] = _no_files
    """Writes further files into a folder and returns their names."""


class Encoder(Protocol):
    """Sentences -> one hidden vector for each word. Every encoder is an nn.Module with these members."""

    width: int
    """Of a hidden vector."""
    languages: tuple[str, ...]
    """Languages met in training, the target's first."""
    one_language: bool
    """Whether all sentences of a batch must be in one language."""

    def lengths(self, sentences: Sequence[Sentence]) -> list[int]:
        """The length of each sentence in the encoder's own units (words, sub-words), to batch similar ones together."""
        ...

    def prepare(self, sentences: Sequence[Sentence]) -> Any:
        """Look up the words of B sentences, each of one token or more: `EncoderInputs`."""
        ...

    def __call__(self, inputs: Any) -> tuple[Tensor, Tensor]:
        """`EncoderInputs` -> hidden vectors (B, T, D) and mask (B, T), True where a token is real."""
        ...

    def named_parts(self) -> Mapping[Part, Sequence[nn.Module]]:
        """The modules that each name of a part in a recipe stands for, as far as this encoder has such parts."""
        ...

    def parameter_groups(self) -> Mapping[str, ParameterGroup]:
        """Parameters, by name, that do not learn at the recipe's rate."""
        ...

    def state(self) -> EncoderState:
        """What has to be saved beside the weights."""
        ...


class PerLanguage(nn.ModuleList):
    """One module for each language, in the order of the encoder's `languages`."""

    @property
    def width(self) -> int:
        """Of the output of each."""
        width: int = self[0].width  # type: ignore[assignment]
        return width


def of_language(part: nn.Module, language: int) -> nn.Module:
    """The module itself if all languages share it, else that of the language with this index."""
    return part[language] if isinstance(part, PerLanguage) else part


def language_index(languages: tuple[str, ...], sentence: Sentence) -> int:
    """Index of the sentence's language; 0, the target's, for a language not met in training."""
    language = sentence.language or ""
    return languages.index(language) if language in languages else 0


def grouped_by_language(encoder: Encoder, sentences: Sequence[Sentence]) -> list[list[int]]:
    """Indices of the sentences that may share a batch: all of them, or those of each language apart."""
    if not encoder.one_language:
        return [list(range(len(sentences)))]
    groups: dict[int, list[int]] = {}
    for index, sentence in enumerate(sentences):
        groups.setdefault(language_index(encoder.languages, sentence), []).append(index)
    return list(groups.values())
