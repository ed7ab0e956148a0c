"""A stage of continued masked-language training: a pre-trained encoder reads the user's own text before it is tuned."""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from onomast.corpus import Corpus
from onomast.data.raw_text import Exclusion
from onomast.data.transliteration.scripts import convert_token
from onomast.errors import DataError, RecipeError
from onomast.layers.heads import MaskedHead
from onomast.pretrained.hub import read_tensors
from onomast.pretrained.masked_lm import MaskedModel, MaskedText, Masking, is_held_out, new_head, stream_of
from onomast.pretrained.text import TextReader, silent
from onomast.recipe import Recipe, Stage, Training
from onomast.taggers.neural.network import Network
from onomast.taggers.neural.transformer_encoder import TransformerEncoder
from onomast.taggers.source_batches import sentences_of

_BLOCK = 128  # sub-words read at once, at most
_ROUND = 200  # batches between two measurements on held-out text
# Where the families keep the head that tells hidden sub-words: dense layer, norm, bias.
_HEADS = (
    ("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias"),
    ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
    ("generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head.bias"),
    ("lm_predictions.lm_head.dense", "lm_predictions.lm_head.LayerNorm", "lm_predictions.lm_head.bias"),
)


@dataclass(frozen=True)
class MaskedStage:
    """What the loop needs of such a stage."""

    task: MaskedText
    settings: Training
    digest: str
    """Of the text."""


def masked_stage(network: Network, stage: Stage, corpus: Corpus, recipe: Recipe) -> MaskedStage:
    """The task of a stage `mlm`; its module shares the network's encoder.

    Sentences of the corpus's dev and test are cut out of raw text. Raises RecipeError for an encoder that cannot learn
    so, DataError where there is no text.
    """
    encoder = network.encoder
    if not isinstance(encoder, TransformerEncoder):
        raise RecipeError('"mlm" needs a pre-trained encoder; set neural.pretrained.model', key="stage.task")
    if encoder.tokenizer.mask_token_id is None:
        raise RecipeError('"mlm" needs a model that has a sub-word for what is hidden', key="stage.task")
    if recipe.neural.pretrained.frozen == "all":
        raise RecipeError('is "all", so a stage of mlm has nothing to teach', key="neural.pretrained.frozen")
    learnt: dict[str, list[Sequence[str]]] = {}
    held_out: dict[str, list[Sequence[str]]] = {}
    digest = hashlib.sha256()
    for name in stage.corpus:
        learnt[name], held_out[name] = [], []
        for line in _lines(name, corpus, recipe):
            data = " ".join(line).encode("utf-8", "surrogatepass")
            digest.update(data + b"\n")
            (held_out if is_held_out(zlib.crc32(data)) else learnt)[name].append(line)
        learnt[name] = learnt[name] or held_out[name]
    text = {name: stream_of(lines, encoder.pieces) for name, lines in learnt.items()}
    if not any(len(stream.ids) for stream in text.values()):
        raise DataError(f"there is no text in {', '.join(stage.corpus)} for the stage of mlm", path=corpus.name)
    module = MaskedModel(encoder.model, starting_head(encoder)).to(next(encoder.model.parameters()).device)
    frame = len(encoder.pieces.before) + len(encoder.pieces.after)
    masking = Masking(block=min(_BLOCK, encoder.size + frame))
    settings = _settings(stage, recipe.neural.training, sum(len(stream.ids) for stream in text.values()), masking)
    task = MaskedText(
        module,
        text,
        {name: stream_of(lines, encoder.pieces) for name, lines in held_out.items()},
        encoder.pieces,
        masking,
        rows=settings.batch_size * settings.steps,
        precision=settings.precision,
        parameter_groups={
            name.replace("model.", "encoder.", 1): group for name, group in encoder.parameter_groups().items()
        },
    )
    return MaskedStage(task, replace(settings, steps=0), digest.hexdigest())


def starting_head(encoder: TransformerEncoder) -> MaskedHead:
    """The head that the encoder was trained with, where its folder has it; else a new one."""
    with torch.random.fork_rng(devices=[]):
        head = new_head(encoder.model)
    wanted = {
        names[part] + (f".{kind}" if part < 2 else "")
        for names in _HEADS
        for part in range(3)
        for kind in ("weight", "bias")
    }
    found = read_tensors(encoder.settings.model, wanted)
    for dense, norm, bias in _HEADS:
        theirs = {
            "dense.weight": f"{dense}.weight", "dense.bias": f"{dense}.bias",
            "norm.weight": f"{norm}.weight", "norm.bias": f"{norm}.bias", "bias": bias,
        }  # fmt: skip
        state = {ours: found[name] for ours, name in theirs.items() if name in found}
        if len(state) == len(theirs) and all(
            state[name].shape == value.shape for name, value in head.state_dict().items()
        ):
            head.load_state_dict(state)
            return head
    return head


def _lines(name: str, corpus: Corpus, recipe: Recipe) -> Iterator[Sequence[str]]:
    """The words of each line that this name of a stage means, in the recipe's script."""
    if name == "raw":
        yield from _raw(corpus, recipe)
        return
    yield from (sentence.tokens for sentence in sentences_of(Stage((name,)), corpus))
    if name == "joint":
        yield from (sentence.tokens for sentence in sentences_of(Stage(("sources",)), corpus))


def _raw(corpus: Corpus, recipe: Recipe) -> Iterator[list[str]]:
    paths = recipe.neural.pretrained.text
    if not paths:
        raise RecipeError("names `raw`, but there is no raw text; give --raw FILE", key="stage.corpus")
    exclusion = Exclusion(sentence.tokens for sentence in (*corpus.dev, *corpus.test))
    reader = TextReader(silent)
    for line in (line for path in paths for line in reader.read(Path(path))):
        words = [convert_token(word, recipe.script).text for word in line] if recipe.script else line
        yield from exclusion.remainders(words)


def _settings(stage: Stage, training: Training, subwords: int, masking: Masking) -> Training:
    """Those of the loop; `steps` are those of one of its epochs, which is a round."""
    windows = subwords / (masking.block - 2)
    steps = stage.steps or math.ceil(max(1, stage.epochs) * windows / training.batch_size)
    rounds = math.ceil(steps / _ROUND)
    return replace(
        training, epochs=rounds, steps=math.ceil(steps / rounds), schedule="linear", select="last", dev="file",
        averaging=0.0, rescue_after=0, stop_after=0, learning_rate=stage.learning_rate or training.learning_rate,
    )  # fmt: skip
