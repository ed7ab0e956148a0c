"""`onomast encoder train`: a small encoder of one's own, by masked-language modelling of raw text.

BERT's layers and head (Devlin et al. 2019), whole words hidden, blocks without padding, no second sentence (Liu et al.
2019); languages drawn by their size to a power (Conneau et al. 2020). The folder is as Hugging Face has it.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch

from onomast.data.catalogue import language_of, resolve
from onomast.errors import MissingExtra, OnomastError
from onomast.files import atomic_path, write_text
from onomast.pretrained.masked_lm import MaskedModel, MaskedText, Masking, Stream, stream_of
from onomast.pretrained.subwords import WordPieces
from onomast.pretrained.text import Gathered, gather, silent
from onomast.pretrained.tokenizer import learn_vocabulary, load_vocabulary
from onomast.recipe import Training
from onomast.training.loop import train

CHECKPOINTS = "checkpoints"
_ROUND = 200  # steps between two measurements on held-out text
_ENDLESS = 10**6  # rounds, where only the clock ends the training
_HEAD = {
    "dense.": "cls.predictions.transform.dense.",
    "norm.": "cls.predictions.transform.LayerNorm.",
    "bias": "cls.predictions.bias",
}


@dataclass(frozen=True)
class EncoderSettings:
    """What `onomast encoder train` makes, and how. The defaults suit one core and some megabytes of text."""

    layers: int = 4
    width: int = 256
    heads: int = 4
    vocabulary: int = 16_000
    """Sub-words, at most."""
    steps: int = 0
    """Batches; 0: as many as `minutes` allow."""
    minutes: float = 0.0
    """Of training, after which it ends; the rate falls by the time used. 0: no limit. One of both is needed."""
    batch: int = 2048
    """Sub-words in a batch."""
    block: int = 128
    """Sub-words read at once, and the most that the encoder takes; longer sentences are read in windows."""
    rate: float = 1e-3
    """Highest learning rate."""
    mask: float = 0.15
    """Share of the sub-words that are asked for."""
    unit: Literal["word", "subword"] = "word"
    """Whether all sub-words of a word are hidden together."""
    smoothing: float = 0.7
    """A language is drawn with a chance that grows with its size to this power; 0: all alike, 1: by size."""
    script: str = ""
    """Script into which the text is converted first, as a recipe's `script`; empty: none."""
    precision: Literal["auto", "single", "bf16"] = "auto"
    """As in recipes: `auto` is bf16 on a GPU that has it."""
    threads: int = 1
    seed: int = 0


@dataclass(frozen=True)
class LanguageFigures:
    """What a language's text is to the encoder."""

    words: int
    """In the text that is learnt from."""
    subwords_per_word: float
    unknown: float
    """Share of the sub-words that the vocabulary does not have."""
    accuracy: float
    """At the masked places of held-out lines."""
    perplexity: float
    """There."""


@dataclass(frozen=True)
class EncoderSummary:
    """What `train_encoder` did."""

    path: str
    parameters: int
    vocabulary: int
    steps: int
    seconds: float
    """Of training."""
    subwords_per_second: float
    dropped: int
    """Excluded sentences found in the text and cut out."""
    skipped: int
    """Lines that are not UTF-8, or nothing but a tag of markup."""
    languages: Mapping[str, LanguageFigures]

    def __str__(self) -> str:
        lines = [
            f"{self.path}: {self.parameters / 1e6:.1f} M parameters, {self.vocabulary:,} sub-words; "
            f"{self.steps:,} steps in {self.seconds:.0f} s, {self.subwords_per_second:,.0f} sub-words/s",
            f"{self.dropped:,} excluded sentences cut out; {self.skipped:,} lines skipped: not UTF-8, or markup alone",
            f"{'language':12} {'words':>12} {'sub-words/word':>15} {'unknown':>9} {'masked accuracy':>16} "
            f"{'perplexity':>11}",
        ]
        for name, figures in self.languages.items():
            lines.append(
                f"{name:12} {figures.words:12,} {figures.subwords_per_word:15.2f} {figures.unknown:9.3%} "
                f"{figures.accuracy:16.1%} {figures.perplexity:11.1f}"
            )
        return "\n".join(lines)


def train_encoder(
    texts: Mapping[str, Sequence[str | Path]],
    out: str | Path,
    settings: EncoderSettings,
    *,
    exclude: Iterable[Sequence[str]] = (),
    resume: bool = False,
    say: Callable[[str], None] = silent,
) -> EncoderSummary:
    """Learn an encoder from the files of each language, raw or labelled, and write it as a folder of Hugging Face.

    `exclude`: sentences, as tokens, that are cut out of the text. `resume`: go on from the checkpoints in `out`; a
    training limited by steps ends as one that was never stopped. Raises DataError, OnomastError, MissingExtra,
    ModelError (checkpoints of other settings or text).
    """
    _check(settings, texts)
    out = Path(out)
    checkpoints = out / CHECKPOINTS
    if checkpoints.exists() and not resume:
        shutil.rmtree(checkpoints)
    with TemporaryDirectory() as folder:
        found = gather(texts, Path(folder), exclude=exclude, script=settings.script, say=say)
        run = _fingerprint(settings, found)
        tokenizer = _tokenizer(found, settings, checkpoints / f"vocabulary-{run[:16]}")
        pieces = WordPieces(tokenizer)
        text = {name: stream_of(one.read(), pieces) for name, one in found.languages.items()}
        held_out = {name: stream_of(one.read(held_out=True), pieces) for name, one in found.languages.items()}
    say(f"{len(tokenizer):,} sub-words; {sum(len(stream.ids) for stream in text.values()):,} of them to learn from")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(settings.seed)
    module = MaskedModel(_encoder(settings, len(tokenizer), tokenizer.pad_token_id)).to(device)
    task, training = _plan(module, text, held_out, pieces, settings)
    rows = train(task, training, seed=settings.seed, run=run, folder=checkpoints)
    module.eval()
    summary = _summary(out, module, task, found, text, rows, training)
    _save(module, tokenizer, out, settings, summary, rows)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return summary


def texts_of(names: Sequence[str]) -> dict[str, list[str]]:
    """The files of each language: `LANGUAGE=FILE`, or a name of the catalogue, or a FILE, by its own name."""
    texts: dict[str, list[str]] = {}
    for name in names:
        language, equals, file = name.partition("=")
        if not equals or "/" in language or ":" in language:
            file = name
            language = language_of(name) or Path(name).name.partition(".")[0]
        texts.setdefault(language, []).append(str(resolve(file)))
    return texts


def _plan(
    module: MaskedModel,
    text: Mapping[str, Stream],
    held_out: Mapping[str, Stream],
    pieces: WordPieces,
    settings: EncoderSettings,
) -> tuple[MaskedText, Training]:
    """The task, and the settings of the one training loop; one of its epochs is a round of steps."""
    rows = max(1, settings.batch // settings.block)
    rounds = math.ceil(settings.steps / _ROUND) if settings.steps else _ENDLESS
    steps = math.ceil(settings.steps / rounds) if settings.steps else _ROUND
    masking = Masking(settings.block, settings.mask, settings.unit)
    task = MaskedText(
        module, text, held_out, pieces, masking,
        rows=rows * steps, smoothing=settings.smoothing, precision=settings.precision,
    )  # fmt: skip
    training = Training(
        optimizer="adamw", learning_rate=settings.rate, weight_decay=0.01, batch_size=rows, epochs=rounds,
        schedule="linear", warmup=0.05, select="last", clip=1.0, seconds=settings.minutes * 60,
        threads=settings.threads,
    )  # fmt: skip
    return task, training


def _encoder(settings: EncoderSettings, vocabulary: int, padding: int) -> Any:
    """BERT's layers with random first weights; without dropout, as no small encoder sees its text too often."""
    try:
        from transformers import BertConfig, BertModel
    except ImportError:
        raise MissingExtra("transformers", "transformers") from None
    config = BertConfig(
        vocab_size=vocabulary, hidden_size=settings.width, num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads, intermediate_size=4 * settings.width, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0, max_position_embeddings=settings.block, type_vocab_size=1,
        pad_token_id=padding,
    )  # fmt: skip
    return BertModel(config, add_pooling_layer=False)


def _tokenizer(found: Gathered, settings: EncoderSettings, folder: Path) -> Any:
    """The vocabulary of this run: that of its checkpoints, or learnt now and kept there."""
    if (folder / "tokenizer.json").is_file():
        return load_vocabulary(folder)
    tokenizer = learn_vocabulary(
        found.languages, size=settings.vocabulary, smoothing=settings.smoothing, longest=settings.block
    )
    _save_tokenizer(tokenizer, folder)
    return tokenizer


def _save_tokenizer(tokenizer: Any, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".tokenizer-") as temporary:
        tokenizer.save_pretrained(temporary)
        for path in sorted(Path(temporary).iterdir(), reverse=True):  # tokenizer.json last: with it all is there
            path.replace(folder / path.name)


def _save(
    module: MaskedModel,
    tokenizer: Any,
    out: Path,
    settings: EncoderSettings,
    summary: EncoderSummary,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Write the folder; the weights last, as without them nobody takes it for an encoder."""
    from safetensors.torch import save_file

    (out / "model.safetensors").unlink(missing_ok=True)
    _save_tokenizer(tokenizer, out)
    config = module.encoder.config.to_dict()
    dropout = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}  # for fine-tuning
    config |= dropout | {"architectures": ["BertForMaskedLM"], "dtype": "float32"}
    write_text(out / "config.json", json.dumps(config, indent=1, sort_keys=True) + "\n")
    told = {"settings": asdict(settings), "summary": asdict(summary), "history": list(rows)}
    write_text(out / "training.json", json.dumps(told, ensure_ascii=False, indent=1) + "\n")
    tensors = {f"bert.{name}": value for name, value in module.encoder.state_dict().items()}
    for name, value in module.head.state_dict().items():
        ours = next(start for start in _HEAD if name.startswith(start))
        tensors[_HEAD[ours] + name[len(ours) :]] = value
    with atomic_path(out / "model.safetensors") as path:
        save_file({name: value.cpu().contiguous() for name, value in tensors.items()}, path, metadata={"format": "pt"})


def _summary(
    out: Path,
    module: MaskedModel,
    task: MaskedText,
    found: Gathered,
    text: Mapping[str, Stream],
    rows: Sequence[Mapping[str, Any]],
    training: Training,
) -> EncoderSummary:
    languages = {}
    for name, stream in text.items():
        loss, accuracy = task.measure(name)
        inside = len(stream.ids) - stream.lines
        languages[name] = LanguageFigures(
            stream.words, inside / max(1, stream.words), stream.unknown / max(1, inside), accuracy, math.exp(loss)
        )
    steps, seconds = int(rows[-1]["steps"]), float(rows[-1]["seconds"])
    return EncoderSummary(
        str(out), sum(value.numel() for value in module.encoder.parameters()), module.vocabulary, steps, seconds,
        steps * training.batch_size * task.masking.block / max(seconds, 1e-9), found.dropped, found.skipped, languages,
    )  # fmt: skip


def _fingerprint(settings: EncoderSettings, found: Gathered) -> str:
    told = json.dumps([asdict(settings), found.digest], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _check(settings: EncoderSettings, texts: Mapping[str, Sequence[str | Path]]) -> None:
    """Raise OnomastError for what cannot be."""
    least = {"layers": 1, "width": 8, "heads": 1, "vocabulary": 50, "batch": 1, "threads": 1}
    for name, limit in least.items():
        if getattr(settings, name) < limit:
            raise OnomastError(f"{name} is {getattr(settings, name)}; expected {limit} or more")
    if settings.width % settings.heads:
        raise OnomastError(f"width {settings.width} cannot be divided among {settings.heads} heads; take a multiple")
    if settings.steps <= 0 and settings.minutes <= 0:
        raise OnomastError("neither steps nor minutes are given; expected how long to train, such as --minutes 30")
    if not 8 <= settings.block <= 4096:
        raise OnomastError(f"block is {settings.block}; expected 8 to 4,096 sub-words")
    if not any(texts.values()):
        raise OnomastError("there is no file to learn from")
