"""Exported taggers with weights of eight bits: smaller and faster, and kept only where they score as well.

LSTMs and matrix products are quantised dynamically by onnxruntime: weights beforehand, each channel by itself,
activations as they come. Tables of embeddings are stored as integers with a scale for each row. CRFs stay float64.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onomast.errors import OnomastError
from onomast.evaluation.report import evaluate
from onomast.export.build import export
from onomast.files import atomic_path
from onomast.sentence import Sentence
from onomast.taggers.model_folder import TAGS, seal
from onomast.taggers.onnx.tagger import ENGINE, ONNXTagger

MOST_LOST = 0.3
"""Points of F1 (of 100) that eight bits may cost."""
_SMALLEST_TABLE = 1024  # values of a table from which on it is worth quantising


@dataclass(frozen=True)
class Loss:
    """What eight bits cost: F1 in percent on the given sentences, and bytes of the graphs."""

    f1: float
    f1_int8: float
    sentences: int
    size: int
    size_int8: int


def export_int8(model: str | Path, out: str | Path, gold: Sequence[Sentence]) -> Loss:
    """Like `export`, in eight bits. Raises OnomastError, and leaves no folder, if F1 on `gold` falls by over 0.3."""
    out = Path(out)
    if not any(sentence.spans for sentence in gold):
        raise OnomastError(
            "--dev: the file holds no entity; int8 is accepted or refused by F1; give labelled sentences"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as temporary:
        whole = export(model, Path(temporary) / "float32")
        small = quantized(whole, Path(temporary) / "int8")
        bare = [sentence.bare() for sentence in gold]
        scores = [evaluate(gold, ONNXTagger.load(folder).tag(bare)).micro.f1 * 100 for folder in (whole, small)]
        sizes = [sum(path.stat().st_size for path in folder.glob("*.onnx")) for folder in (whole, small)]
        loss = Loss(scores[0], scores[1], len(gold), sizes[0], sizes[1])
        if loss.f1 - loss.f1_int8 > MOST_LOST:
            raise OnomastError(
                f"{model}: F1 is {loss.f1_int8:.2f} in int8 and {loss.f1:.2f} in float32 on {loss.sentences} "
                f"sentences; int8 may cost {MOST_LOST} at most; export without --int8"
            )
        _seal(small, loss)
        out.mkdir(exist_ok=True)
        for old in [*out.glob("*.onnx")]:
            old.unlink()
        for path in sorted(small.iterdir(), key=lambda path: path.name == TAGS):  # the checksums last
            path.replace(out / path.name)
    return loss


def quantized(folder: Path, out: Path) -> Path:
    """A copy of an exported folder with graphs in eight bits."""
    out.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.suffix == ".onnx":
            _quantize(path, out / path.name)
        else:
            (out / path.name).write_bytes(path.read_bytes())
    _seal(out, None)
    return out


def _quantize(source: Path, target: Path) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(str(source))
    _shrink_tables(model.graph)
    # Shapes are known and nothing is to be fused; without this mark onnxruntime logs a warning that says to look.
    onnx.helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    with atomic_path(target) as temporary:
        quantize_dynamic(
            model,
            temporary,
            op_types_to_quantize=["MatMul", "LSTM"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"EnableSubgraph": False},
        )


def _shrink_tables(graph: Any) -> None:
    """Store the tables that `Gather` reads as int8 with one scale a row; rows are expanded after they are read."""
    from onnx import helper, numpy_helper

    tables = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    nodes: list[Any] = []
    shrunk: set[str] = set()
    for node in graph.node:
        table = tables.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or table.dtype != np.float32 or table.ndim != 2 or table.size < _SMALLEST_TABLE:
            nodes.append(node)
            continue
        name, made = node.input[0], node.output[0]
        if name not in shrunk:
            scales = np.maximum(np.abs(table).max(1, keepdims=True), 1e-12) / 127
            values = np.round(table / scales).astype(np.int8)
            graph.initializer.append(numpy_helper.from_array(values, f"{name}_values"))
            graph.initializer.append(numpy_helper.from_array(scales.astype(np.float32), f"{name}_scales"))
            shrunk.add(name)
        nodes += [
            helper.make_node("Gather", [f"{name}_values", node.input[1]], [f"{made}_rows"], axis=0),
            helper.make_node("Gather", [f"{name}_scales", node.input[1]], [f"{made}_scale"], axis=0),
            helper.make_node("Cast", [f"{made}_rows"], [f"{made}_float"], to=1),
            helper.make_node("Mul", [f"{made}_float", f"{made}_scale"], [made]),
        ]
    used = {name for node in nodes for name in node.input}
    kept = [one for one in graph.initializer if one.name in used or one.name not in shrunk]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)


def _seal(folder: Path, loss: Loss | None) -> None:
    """Note the precision, and what it cost, beside new checksums."""
    described = json.loads((folder / TAGS).read_text(encoding="utf-8"))
    names = list(described.pop("sha256"))
    note: dict[str, Any] = {"precision": "int8"}
    if loss is not None:
        note |= {"f1": round(loss.f1, 2), "f1_int8": round(loss.f1_int8, 2), "sentences": loss.sentences}
    seal(folder, {**described, ENGINE: note}, names)
