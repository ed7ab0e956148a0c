"""`onomast encoder`: pre-trained encoders."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from onomast.cli.common import named, say

app = typer.Typer(
    no_args_is_help=True, help="Pre-trained encoders: learn a small one, adapt one, make a folder safe to read."
)


class Precision(StrEnum):
    """Of the products in training."""

    auto = "auto"
    single = "single"
    bf16 = "bf16"


@app.callback()
def encoder() -> None:
    """Pre-trained encoders."""


@app.command("convert")
def encoder_convert(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A Hugging Face folder with pytorch_model.bin.")],
) -> None:
    """Write the tensors of a pickle (.bin) as model.safetensors; nothing else in it is read, no code is run."""
    from onomast.pretrained.hub import convert_weights

    say(f"wrote {convert_weights(folder)}")


@app.command("train")
def encoder_train(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Raw text or labelled files; hin=FILE and hin=FILE2 are one language."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write.")],
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Drop the sentences of this test file.")
    ] = None,
    layers: Annotated[int, typer.Option(help="Layers.")] = 4,
    width: Annotated[int, typer.Option(help="Width of a vector; a multiple of --heads.")] = 256,
    heads: Annotated[int, typer.Option(help="Heads of attention.")] = 4,
    vocabulary: Annotated[int, typer.Option(help="Sub-words, at most.")] = 16_000,
    minutes: Annotated[
        float | None, typer.Option(help="Of training, 60 without --steps; the learning rate falls by the time used.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Batches, instead of minutes: the same on every machine.")] = 0,
    batch: Annotated[int, typer.Option(help="Sub-words in a batch.")] = 2048,
    block: Annotated[int, typer.Option(help="Sub-words that the encoder takes at once.")] = 128,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 1e-3,
    smoothing: Annotated[float, typer.Option(help="Languages by size to this power; 0: all alike.")] = 0.7,
    script: Annotated[str, typer.Option(help="Convert the text into this script, such as deva.")] = "",
    precision: Annotated[
        Precision, typer.Option(help="Of the products; auto: bf16 on a GPU that has it.")
    ] = Precision.auto,
    threads: Annotated[int, typer.Option(help="Processor threads.")] = 1,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoints in DIR.")] = False,
) -> None:
    """Learn a small encoder from raw text, for `--set neural.pretrained.model=DIR`.

    onomast encoder train hin=news.txt.gz hin=train.conll tel=wiki.txt --exclude test.conll --minutes 60 --out encoder
    """
    from onomast.pretrained.train import EncoderSettings, texts_of, train_encoder

    limit = minutes if minutes is not None else 0.0 if steps else 60.0
    settings = EncoderSettings(
        layers=layers, width=width, heads=heads, vocabulary=vocabulary, steps=steps, minutes=limit, batch=batch,
        block=block, rate=rate, smoothing=smoothing, script=script, precision=precision.value, threads=threads,
        seed=seed,
    )  # fmt: skip
    hidden = [sentence.tokens for name in exclude or [] for sentence in named(name, None).sentences]
    print(train_encoder(texts_of(files), out, settings, exclude=hidden, resume=resume, say=say))


@app.command("adapt")
def encoder_adapt(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The encoder: a folder, or a name on the hub.")],
    files: Annotated[
        list[str],
        typer.Argument(metavar="RAW...", help="Raw text or labelled files; yor=FILE and yor=FILE2 are one language."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write.")],
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Drop the sentences of this test file.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Of training, 20 without --steps; the learning rate falls by the time used.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Batches, instead of minutes: the same on every machine.")] = 0,
    vocabulary: Annotated[int, typer.Option(help="Sub-words that are predicted, at most.")] = 30_000,
    batch: Annotated[int, typer.Option(help="Sub-words in a batch.")] = 2048,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 3e-4,
    smoothing: Annotated[float, typer.Option(help="Languages by size to this power; 0: all alike.")] = 0.7,
    script: Annotated[str, typer.Option(help="Convert the text into this script, such as deva.")] = "",
    precision: Annotated[
        Precision, typer.Option(help="Of the products; auto: bf16 where there are instructions for it.")
    ] = Precision.auto,
    threads: Annotated[int, typer.Option(help="Processor threads.")] = 1,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoints in DIR.")] = False,
) -> None:
    """Let an encoder read raw text of your language before a tagger uses it: `--encoder DIR` of `onomast train`.

    onomast encoder adapt intfloat/multilingual-e5-small yor.txt.gz ibo.txt.gz --exclude test.conll --out encoder
    """
    from onomast.pretrained.adapt import AdaptationSettings, adapt_encoder
    from onomast.pretrained.train import texts_of

    limit = minutes if minutes is not None else 0.0 if steps else 20.0
    settings = AdaptationSettings(
        steps=steps, minutes=limit, vocabulary=vocabulary, batch=batch, rate=rate, smoothing=smoothing, script=script,
        precision=precision.value, threads=threads, seed=seed,
    )  # fmt: skip
    hidden = [sentence.tokens for name in exclude or [] for sentence in named(name, None).sentences]
    print(adapt_encoder(model, texts_of(files), out, settings, exclude=hidden, resume=resume, say=say))
