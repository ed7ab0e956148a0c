"""`onomast encoder adapt`: an encoder goes on learning from raw text, by masked-language modelling (Gururangan et al.
2020), before a tagger reads or fine-tunes it. Languages that it has never seen gain most.

Only the sub-words that the text uses are held and predicted: with 250,000 of them the table and the softmax over it
cost more than the encoder's layers. The rows of all others are written as they were.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from onomast.errors import OnomastError
from onomast.files import atomic_path, write_text
from onomast.pretrained.frozen_encoder import computes_bf16
from onomast.pretrained.hub import copy_encoder_files, encoder_folder, encoder_hash, read_encoder
from onomast.pretrained.masked_lm import MaskedModel, MaskedText, Masking, Stream, stream_of
from onomast.pretrained.subwords import Ids, WordPieces
from onomast.pretrained.text import gather, silent
from onomast.recipe import Training
from onomast.training.loop import train

CHECKPOINTS = "checkpoints"
_ROUND = 200  # steps between two measurements on held-out text
_ENDLESS = 10**6  # rounds, where only the clock ends the training


@dataclass(frozen=True)
class AdaptationSettings:
    """How `onomast encoder adapt` trains. The defaults suit one core and some megabytes of text."""

    steps: int = 0
    """Batches; 0: as many as `minutes` allow."""
    minutes: float = 0.0
    """Of training, after which it ends; the rate falls by the time used. 0: no limit. One of both is needed."""
    vocabulary: int = 30_000
    """Sub-words that are held and predicted, at most: the most frequent ones. The others read as unknown meanwhile."""
    batch: int = 2048
    """Sub-words in a batch."""
    block: int = 128
    """Sub-words read at once."""
    rate: float = 3e-4
    """Highest learning rate."""
    smoothing: float = 0.7
    """A language is drawn with a probability that grows with its size to this power; 0: all alike, 1: by size."""
    script: str = ""
    """Script into which the text is converted first, as a recipe's `script`; empty: none."""
    precision: Literal["auto", "single", "bf16"] = "auto"
    """Of the products: `auto` is bf16 where the processor or the GPU has instructions for it."""
    threads: int = 1
    seed: int = 0


@dataclass(frozen=True)
class AdaptationSummary:
    """What `adapt_encoder` did."""

    path: str
    vocabulary: int
    """Sub-words that were held and predicted."""
    steps: int
    seconds: float
    subwords_per_second: float
    dropped: int
    """Excluded sentences cut out of the text."""
    skipped: int
    """Lines that are not UTF-8, or nothing but a tag of markup."""
    accuracy: Mapping[str, tuple[float, float]]
    """For each language: share of the hidden sub-words of held-out lines that is predicted, before (with a new head,
    as no encoder's own head is read) and after."""

    def __str__(self) -> str:
        lines = [
            f"{self.path}: {self.vocabulary:,} sub-words in use; {self.steps:,} steps in {self.seconds:.0f} s, "
            f"{self.subwords_per_second:,.0f} sub-words/s",
            f"{self.dropped:,} excluded sentences cut out; {self.skipped:,} lines skipped: not UTF-8, or markup alone",
        ]
        for name, (before, after) in self.accuracy.items():
            lines.append(f"{name:12} masked accuracy {before:.1%} before, {after:.1%} after")
        return "\n".join(lines)


def adapt_encoder(
    model: str,
    texts: Mapping[str, Sequence[str | Path]],
    out: str | Path,
    settings: AdaptationSettings,
    *,
    exclude: Iterable[Sequence[str]] = (),
    resume: bool = False,
    say: Callable[[str], None] = silent,
) -> AdaptationSummary:
    """Train the encoder of a folder or hub name on the files of each language, and write it as a folder of its own.

    `exclude`: sentences, as tokens, that are cut out of the text. `resume`: go on from the checkpoints in `out`; a
    training limited by steps ends as one that was never stopped. Raises ModelError, DataError, OnomastError.
    """
    if settings.steps <= 0 and settings.minutes <= 0:
        raise OnomastError("neither steps nor minutes are given; expected how long to train, such as --minutes 30")
    source, out = encoder_folder(model, "MODEL"), Path(out)
    if out.resolve() == source.resolve():
        raise OnomastError(f"{out} is the folder of the encoder itself; expected another one, which --out names")
    checkpoints = out / CHECKPOINTS
    if checkpoints.exists() and not resume:
        shutil.rmtree(checkpoints)
    encoder: Any
    encoder, tokenizer = read_encoder(str(source))
    pieces = WordPieces(tokenizer)
    if pieces.mask is None:
        raise OnomastError(f"{model} has no sub-word for what is hidden; expected an encoder trained with one")
    with TemporaryDirectory() as folder:
        gathered = gather(texts, Path(folder), exclude=exclude, script=settings.script, say=say)
        text = {name: stream_of(one.read(), pieces) for name, one in gathered.languages.items()}
        held_out = {name: stream_of(one.read(held_out=True), pieces) for name, one in gathered.languages.items()}
    kept = kept_subwords(text.values(), pieces, settings.vocabulary)
    say(f"{len(kept):,} sub-words in use; {sum(len(stream.ids) for stream in text.values()):,} of them to learn from")
    run = hashlib.sha256(json.dumps([asdict(settings), encoder_hash(source), gathered.digest]).encode()).hexdigest()
    torch.manual_seed(settings.seed)
    full = trim_embeddings(encoder, kept)
    module = MaskedModel(encoder).to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    numbering = Numbering(kept, pieces)
    task, training = _plan(module, text, held_out, numbering, settings)
    before = {name: task.measure(name)[1] for name in text}
    rows = train(task, training, seed=settings.seed, run=run, folder=checkpoints)
    after = {name: task.measure(name)[1] for name in text}
    steps, seconds = int(rows[-1]["steps"]), float(rows[-1]["seconds"])
    summary = AdaptationSummary(
        str(out), len(kept), steps, seconds, steps * training.batch_size * settings.block / max(seconds, 1e-9),
        gathered.dropped, gathered.skipped, {name: (before[name], after[name]) for name in text},
    )  # fmt: skip
    _save(encoder, full, kept, source, out)
    record = {"from": model, "settings": asdict(settings), "summary": asdict(summary), "history": list(rows)}
    write_text(out / "training.json", json.dumps(record, ensure_ascii=False, indent=1) + "\n")
    shutil.rmtree(checkpoints, ignore_errors=True)
    return summary


def kept_subwords(streams: Iterable[Stream], pieces: WordPieces, most: int) -> Ids:
    """(V,) ids, ascending, of the `most` sub-words that the text has most often, and of all special ones.

    Ids up to that of padding are always among them: RoBERTa numbers positions by the id of padding.
    """
    special = {*pieces.before, *pieces.after, pieces.unknown, int(pieces.mask or 0), *range(pieces.padding + 1)}
    counts: Ids = np.zeros(0, np.int64)
    for stream in streams:
        found = np.bincount(stream.ids, minlength=len(counts))
        found[: len(counts)] += counts
        counts = found
    common = np.argsort(-counts, kind="stable")[:most]
    return np.unique([*common[counts[common] > 0].tolist(), *special])


class Numbering:
    """The kept sub-words numbered through from 0; any other one is the unknown one."""

    def __init__(self, kept: Ids, pieces: WordPieces) -> None:
        self._table = np.full(int(kept[-1]) + 1, np.searchsorted(kept, pieces.unknown), np.int32)
        self._table[kept] = np.arange(len(kept))
        self.pieces = copy.copy(pieces)
        """Special sub-words by their new numbers."""
        self.pieces.before = self._table[pieces.before].tolist()
        self.pieces.after = self._table[pieces.after].tolist()
        self.pieces.unknown, self.pieces.padding = int(self._table[pieces.unknown]), int(self._table[pieces.padding])
        self.pieces.mask = int(self._table[int(pieces.mask or 0)])

    def of(self, stream: Stream) -> Stream:
        """A text in the new numbers."""
        known = stream.ids < len(self._table)
        return replace(stream, ids=np.where(known, self._table[np.where(known, stream.ids, 0)], self.pieces.unknown))


def trim_embeddings(encoder: Any, kept: Ids) -> torch.Tensor:
    """Leave an encoder the embeddings (V, E) of these sub-words alone; returns the whole table."""
    old: nn.Embedding = encoder.get_input_embeddings()
    whole = old.weight.detach()
    padding = None if old.padding_idx is None else int(np.searchsorted(kept, old.padding_idx))
    encoder.set_input_embeddings(
        nn.Embedding(len(kept), whole.shape[1], padding_idx=padding, _weight=whole[torch.from_numpy(kept)].clone())
    )
    return whole


def _plan(
    module: MaskedModel,
    text: Mapping[str, Stream],
    held_out: Mapping[str, Stream],
    numbering: Numbering,
    settings: AdaptationSettings,
) -> tuple[MaskedText, Training]:
    """The task, and the settings of the one training loop; one of its epochs is a round of steps."""
    rows = max(1, settings.batch // settings.block)
    rounds = math.ceil(settings.steps / _ROUND) if settings.steps else _ENDLESS
    steps = math.ceil(settings.steps / rounds) if settings.steps else _ROUND
    automatic = settings.precision == "auto" and computes_bf16()
    task = MaskedText(
        module, {name: numbering.of(stream) for name, stream in text.items()},
        {name: numbering.of(stream) for name, stream in held_out.items()}, numbering.pieces, Masking(settings.block),
        rows=rows * steps, smoothing=settings.smoothing, precision="bf16" if automatic else settings.precision,
    )  # fmt: skip
    training = Training(
        optimizer="adamw", learning_rate=settings.rate, weight_decay=0.01, batch_size=rows, epochs=rounds,
        schedule="linear", warmup=0.05, select="last", clip=1.0, seconds=settings.minutes * 60,
        threads=settings.threads,
    )  # fmt: skip
    return task, training


def _save(encoder: Any, whole: torch.Tensor, kept: Ids, source: Path, out: Path) -> None:
    """Write the folder, the weights last: the encoder with all its sub-words, those in use as they are now."""
    from safetensors.torch import save_file

    table = whole.clone()
    table[torch.from_numpy(kept)] = encoder.get_input_embeddings().weight.detach().cpu()
    encoder.set_input_embeddings(nn.Embedding(table.shape[0], table.shape[1], _weight=table))
    copy_encoder_files(source, out)
    tensors = {name: value.detach().cpu().contiguous() for name, value in encoder.state_dict().items()}
    with atomic_path(out / "model.safetensors") as path:
        save_file(tensors, path, metadata={"format": "pt"})
