"""What other languages' and domains' labelled sentences do in a neural fit: how often, in which stage."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from onomast.corpus import Corpus
from onomast.data.transfer.ranking import choose
from onomast.errors import DataError, RecipeError, nearest
from onomast.recipe import Recipe, Sources, Stage
from onomast.sentence import Sentence


def chain_of(recipe: Recipe, corpus: Corpus) -> tuple[Stage, ...]:
    """The recipe's stages; where it has none, one of everything there is.

    Raises RecipeError for a stage that names an unknown source, DataError for one with nothing to learn from.
    """
    if not recipe.stage:
        kind = "target" if not corpus.sources else "joint" if corpus.train else "sources"
        return (Stage((kind,)),)
    names = [source.name for source in corpus.sources]
    for number, stage in enumerate(recipe.stage, start=1):
        known = ["target", "sources", "nearest", "joint", *names, *(["raw"] if stage.task == "mlm" else [])]
        for name in stage.corpus:
            if name not in known:
                raise RecipeError(f"stage {number} learns from {name!r}; {nearest(name, known)}", key="stage.corpus")
        if not corpus.train and set(stage.corpus) & {"target", "joint"}:
            raise DataError(
                f"stage {number} of recipe {recipe.name} needs target sentences; leave it out, or give some"
            )
        if not corpus.sources and set(stage.corpus) - {"target", "raw"}:
            raise DataError(f"stage {number} of recipe {recipe.name} needs sources; give --source FILE once or more")
    return recipe.stage


def sentences_of(stage: Stage, corpus: Corpus) -> list[Sentence]:
    """What a stage learns from in its own right: target sentences, or those of the sources it names."""
    sentences: list[Sentence] = []
    for name in stage.corpus:
        if name in ("target", "joint"):
            sentences += corpus.train
        elif name == "nearest":
            sentences += choose(corpus, corpus.sources, 1)[0].train
        else:
            sentences += [s for source in corpus.sources if name in ("sources", source.name) for s in source.train]
    return sentences


class SourceBatches:
    """Draws batches of one source each, of sentences of like length; all chance is torch's own random state."""

    def __init__(self, sources: Sequence[Corpus], settings: Sources) -> None:
        if settings.mu < 0:
            raise RecipeError(f"is {settings.mu}; expected 0 (without sources) or more", key="sources.mu")
        self.settings = settings
        self.sources = [sorted(source.train, key=len) for source in sources if source.train]
        weights = [settings.weights.get(source.name, 1.0) for source in sources if source.train]
        sizes = torch.tensor([len(sentences) for sentences in self.sources], dtype=torch.float64)
        self.chances = sizes**settings.smoothing * torch.tensor(weights, dtype=torch.float64)

    def draw(self) -> list[Sentence]:
        """The sentences of one step: neighbours in the order of their lengths."""
        sentences = self.sources[int(torch.multinomial(self.chances, 1))]
        size = self.settings.batch_size
        first = int(torch.randint(max(1, len(sentences) - size + 1), ()))
        return sentences[first : first + size]

    def weight(self, done: float) -> float:
        """mu after this share of all steps."""
        return self.settings.mu * (1 - done if self.settings.schedule == "falling" else 1.0)
