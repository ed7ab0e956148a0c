"""The folder of a neural tagger -> a folder that onnxruntime runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onomast.errors import MissingExtra, ModelError
from onomast.export.graph import Array, Graph, Tensors
from onomast.export.sentences import Batch, add_batch, add_encoder, add_heads
from onomast.export.transformer import ROBERTA, add_encoders, require_family
from onomast.export.words import add_words
from onomast.files import atomic_path, write_text
from onomast.recipe import Recipe, read_saved_recipe
from onomast.taggers.model_folder import seal, unseal
from onomast.taggers.onnx.tagger import ENCODER, ENGINE, TAGGER, TOKENIZER, VECTORS, WORDS
from onomast.tags import TagScheme
from onomast.vectors.compact import CompactVectors, write_compact

_VECTORS = "vectors."  # prefix of the compact vectors among the saved tensors
_LARGEST = 2**31 - 2**20  # bytes of one file: protobuf's limit


@dataclass(frozen=True)
class Saved:
    """A neural tagger's folder as plain data."""

    folder: Path
    recipe: Recipe
    tags: Mapping[str, Any]
    known: Mapping[str, Any]
    """vocabulary.json"""
    tensors: Mapping[str, Array]

    def own(self, part: str) -> int:
        """How many languages have such a part of their own; 0: all share it."""
        languages = len(self.known["languages"])
        return languages if languages > 1 and part not in self.recipe.neural.sharing else 0

    @property
    def scheme(self) -> TagScheme:
        """Labels and tags."""
        return TagScheme(tuple(self.tags["labels"]), self.tags["style"])

    @property
    def vectors(self) -> CompactVectors | None:
        """The rows of a vectors file that the tagger keeps."""
        arrays = {name.removeprefix(_VECTORS): array for name, array in self.tensors.items() if _is_fixed(name)}
        return CompactVectors.from_tensors(arrays, self.known["vectors"]) if arrays else None

    def encoders(self, graph: Graph) -> list[Tensors]:
        """The tensors of the encoder, or of each encoder of an ensemble."""
        count = self.recipe.neural.ensemble_size
        names = [f"encoder.members.{number}." for number in range(count)] if count > 1 else ["encoder."]
        return [Tensors(graph, self.tensors, (name,)) for name in names]


def export(model: str | Path, out: str | Path) -> Path:
    """Write the neural tagger of the folder `model` into the folder `out` (created) as ONNX, in single precision.

    Raises ModelError for a folder that holds no neural tagger, or one that cannot be exported; MissingExtra.
    """
    saved = read_saved(Path(model))
    out = Path(out)
    if out.resolve() == Path(model).resolve():
        raise ModelError("is the model's own folder; expected another folder to write to", folder=out)
    out.mkdir(parents=True, exist_ok=True)
    for old in (WORDS, ENCODER, VECTORS, TOKENIZER):
        (out / old).unlink(missing_ok=True)
    known = {name: value for name, value in saved.known.items() if name != "vectors"}
    if saved.recipe.neural.pretrained.model:
        more, files = _write_transformer(saved, out)
        known |= more
    else:
        files = _write_words(saved, out)
    write_text(out / "vocabulary.json", json.dumps(known, ensure_ascii=False))
    write_text(out / "recipe.toml", (saved.folder / "recipe.toml").read_text(encoding="utf-8"))
    described = {name: saved.tags[name] for name in ("style", "labels", "pos", "sentence_labels")}
    seal(out, {**described, ENGINE: {"precision": "float32"}}, ("vocabulary.json", "recipe.toml", *files))
    return out


def read_saved(folder: Path) -> Saved:
    """The files of a neural tagger. Raises ModelError, MissingExtra."""
    try:
        import onnx  # noqa: F401
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", "onnx") from None
    if not (folder / "recipe.toml").is_file():
        raise ModelError("there is no recipe.toml in it; expected the folder of a neural tagger", folder=folder)
    recipe = read_saved_recipe(folder / "recipe.toml")
    if recipe.tagger != "neural":
        raise ModelError(
            "holds a linear tagger, which needs no export: it runs without PyTorch as it is", folder=folder
        )
    if recipe.neural.triggers.kind != "none":
        raise ModelError(
            "matches sentences with triggers, for which there is no export; tag with the model folder itself",
            folder=folder,
        )
    if "context" in recipe.neural.encoder.order:
        raise ModelError(
            "its tagger reads a pre-trained encoder beside the words (recipes *-context), which cannot be exported; "
            "export one of another recipe, such as small or transformer-crf",
            folder=folder,
        )
    if (folder / TAGGER).is_file():
        raise ModelError("is exported already; expected the folder that `onomast train` wrote", folder=folder)
    tags = unseal(folder, ("recipe.toml", "vocabulary.json", "weights.safetensors"))
    try:
        known = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        return Saved(folder, recipe, tags, known, load_file(folder / "weights.safetensors"))
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"its weights cannot be read ({error}); copy the whole folder again", folder=folder) from None


def _write_words(saved: Saved, out: Path) -> list[str]:
    """The graphs of a tagger with an LSTM, and its rows of a vectors file; returns the names of the files."""
    vectors, recipe, graph = saved.vectors, saved.recipe.neural, Graph()
    width = 0 if vectors is None else vectors.width
    sizes = add_words(graph, saved.encoders(graph), recipe, saved.own("characters"), width)
    write_graph(graph, out / WORDS, "words")
    if vectors is not None:
        write_compact(vectors, out / VECTORS)
    graph = Graph()
    batch, parts = add_batch(graph), _columns(graph, sizes)
    hidden = [
        add_encoder(graph, encoder, recipe.encoder, batch, part, saved.own("lstm"))
        for encoder, part in zip(saved.encoders(graph), parts, strict=True)
    ]
    _write_tagger(graph, saved, batch, hidden, out)
    return [WORDS, TAGGER] if vectors is None else [WORDS, TAGGER, VECTORS]


def _write_transformer(saved: Saved, out: Path) -> tuple[dict[str, Any], list[str]]:
    """The graphs of a tagger with a pre-trained encoder and its tokenizer; returns what vocabulary.json adds, files."""
    config = json.loads((saved.folder / "encoder" / "config.json").read_text(encoding="utf-8"))
    require_family(config, saved.folder)
    known = _write_tokenizer(saved, config, out)
    recipe, graph = saved.recipe.neural, Graph()
    sizes = add_encoders(graph, saved.encoders(graph), config, recipe.pretrained)
    write_graph(graph, out / ENCODER, "encoder")
    graph = Graph()
    batch, parts = add_batch(graph), _columns(graph, sizes)
    hidden = []
    for encoder, part in zip(saved.encoders(graph), parts, strict=True):
        words = part
        if "shapes.weight" in encoder:
            ids = graph.input("shapes", np.int64, ("W",))
            words = graph.op("Concat", part, graph.op("Gather", encoder.weight("shapes.weight"), ids), axis=1)
        vectors = graph.op("Gather", words, batch.places)
        hidden.append(graph.op("Where", batch.real, vectors, graph.constant(0.0, np.float32)))
    _write_tagger(graph, saved, batch, hidden, out)
    return known, [ENCODER, TAGGER, TOKENIZER]


def _write_tokenizer(saved: Saved, config: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """tokenizer.json, as the `tokenizers` library reads it; returns what else is to be known. Raises ModelError."""
    from onomast.pretrained.hub import restored_encoder
    from onomast.pretrained.subwords import WordPieces

    _, tokenizer = restored_encoder(saved.folder)
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            f"its tokenizer ({type(tokenizer).__name__}) runs in Python only and cannot be exported; "
            "tag with the model folder itself",
            folder=saved.folder,
        )
    pieces = WordPieces(tokenizer)
    with atomic_path(out / TOKENIZER) as temporary:
        tokenizer.backend_tokenizer.save(str(temporary))
    positions = int(config.get("max_position_embeddings", 512))
    if config["model_type"] in ROBERTA:
        positions -= int(config["pad_token_id"]) + 1
    limit = positions - len(pieces.before) - len(pieces.after)
    names = ("unk_token_id", "mask_token_id", "sep_token_id", "pad_token_id")
    special = {name: getattr(tokenizer, name) for name in names}
    return {"special": special, "window": saved.recipe.neural.pretrained.window or limit}


def _write_tagger(graph: Graph, saved: Saved, batch: Batch, hidden: Sequence[str], out: Path) -> None:
    """Add the heads to the hidden vectors of the encoders and write the graph."""
    joined = hidden[0] if len(hidden) == 1 else graph.op("Concat", *hidden, axis=2)
    heads = Tensors(graph, saved.tensors, ("heads.",))
    add_heads(graph, heads, saved.recipe.neural, saved.scheme, batch, joined, saved.own("transitions"))
    write_graph(graph, out / TAGGER, "tagger")


def write_graph(graph: Graph, path: Path, name: str) -> None:
    """Write a graph; atomically. Raises ModelError for one that does not fit into a file."""
    size = sum(array.nbytes for array in graph.constants.values())
    if size > _LARGEST:
        raise ModelError(f"its weights are {size / 1e9:.1f} GB; one ONNX file holds 2 GB", folder=path.parent)
    with atomic_path(path) as temporary:
        temporary.write_bytes(graph.model(name).SerializeToString())


def _columns(graph: Graph, sizes: list[int]) -> list[str]:
    """The words' vectors, `made` (W, D), cut into those of each encoder."""
    words = graph.input("made", np.float32, ("W", str(sum(sizes))))
    return [words] if len(sizes) == 1 else graph.ops("Split", [words, graph.ints(*sizes)], len(sizes), axis=1)


def _is_fixed(name: str) -> bool:
    return name.startswith(_VECTORS)
