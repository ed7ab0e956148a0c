"""The small encoder of a grid: learnt once for all of its corpora, and one just like it with random weights."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from onomast.data.catalogue import language_of
from onomast.data.formats.registry import read_file
from onomast.experiments.cells import Cell, encoder_text
from onomast.experiments.corpora import CACHE, Pretraining, checksums, located
from onomast.experiments.grid import names
from onomast.files import write_text

UNTRAINED = "untrained"
"""Folder below that of the learnt encoder."""
_WEIGHTS = "model.safetensors"


def encoder_of(cell: Cell) -> Path | None:
    """The folder of the encoder a cell uses, which may have to be learnt first; None: it uses none."""
    if not cell.uses_encoder:
        return None
    folder = _learnt(cell)
    return folder if "encoder" in cell.use else folder / UNTRAINED


def missing_encoders(cells: Sequence[Cell]) -> list[Pretraining]:
    """Encoders to be learnt, each once."""
    wanted = {path: cell for cell in reversed(cells) if (path := encoder_of(cell)) is not None}
    return [Pretraining(cell, path, "encoder") for path, cell in _roots(wanted).items()]


def learn_encoder(learning: Pretraining) -> dict[str, Any]:
    """Learn the encoder of a cell, and make the one with random weights; whichever is there already is kept."""
    from onomast.pretrained.train import EncoderSettings, train_encoder

    cell, folder = learning.cell, _learnt(learning.cell)
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_text(folder.parent / ".gitignore", "*\n")
    summary = f"{folder.name} was there already"
    if not (folder / _WEIGHTS).is_file():
        how = cell.encoder
        settings = EncoderSettings(
            layers=how.layers, width=how.width, heads=how.heads, vocabulary=how.vocabulary, steps=how.steps,
            minutes=how.minutes, batch=how.batch, block=how.block, rate=how.rate, smoothing=how.smoothing,
            precision=how.precision, seed=how.seed, script=cell.recipe.script,
        )  # fmt: skip
        texts: dict[str, list[str | Path]] = {}
        for given, file in encoder_text(how):
            language = given or language_of(file) or Path(file).name.partition(".")[0]
            texts.setdefault(language, []).append(located(file, cell.folder))
        summary = str(train_encoder(texts, folder, settings, exclude=_hidden(cell), resume=True))
    if not (folder / UNTRAINED / _WEIGHTS).is_file():
        _write_untrained(folder, cell.encoder.seed)
    return {"status": "done", "summary": summary}


def _learnt(cell: Cell) -> Path:
    """Where the learnt encoder is: its name depends on how, from what and in which script it is learnt."""
    sums, files = checksums(cell), cell.files
    used = {role: list(files.get(role, ())) for role in ("encoder", "hidden")}
    training = {key: value for key, value in cell.parts["encoder_training"].items() if key != "kind"}
    identifying = {
        "training": training,
        "script": cell.recipe.script,
        "files": used,
        "sums": {name: sums[name] for part in used.values() for name in part},
    }
    text = json.dumps(identifying, sort_keys=True, ensure_ascii=False)
    return cell.folder / CACHE / f"encoder-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _roots(wanted: dict[Path, Cell]) -> dict[Path, Cell]:
    """Those that are not complete, by the folder of the learnt one: the other is made along with it."""
    roots = {}
    for path, cell in reversed(wanted.items()):
        if not (path / _WEIGHTS).is_file():
            roots[path.parent if path.name == UNTRAINED else path] = cell
    return roots


def _hidden(cell: Cell) -> Iterator[tuple[str, ...]]:
    """Test and dev sentences of every corpus of the grid."""
    for data in cell.corpora:
        for name in (*names(data.test), *names(data.dev)):
            path = located(name, cell.folder)
            yield from (sentence.tokens for sentence in read_file(path, columns=data.columns or None).sentences)


def _write_untrained(folder: Path, seed: int) -> None:
    """The same sub-words and layers, with the weights that a training starts from."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoConfig, AutoModel

    torch.manual_seed(seed)
    with TemporaryDirectory(dir=folder, prefix=".untrained-") as temporary:
        target = Path(temporary) / UNTRAINED
        target.mkdir()
        model = AutoModel.from_config(AutoConfig.from_pretrained(folder))
        weights = {name: value.contiguous() for name, value in model.state_dict().items()}
        save_file(weights, target / _WEIGHTS, metadata={"format": "pt"})
        shutil.copy(folder / "config.json", target / "config.json")
        for path in folder.glob("*token*.json"):
            shutil.copy(path, target / path.name)
        shutil.rmtree(folder / UNTRAINED, ignore_errors=True)
        target.replace(folder / UNTRAINED)
