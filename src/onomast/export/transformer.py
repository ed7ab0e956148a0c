"""The graph of a pre-trained encoder of BERT's kind (BERT, RoBERTa, XLM-R, ELECTRA): sub-words -> their vectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from onomast.errors import ModelError
from onomast.export.graph import Graph, Tensors
from onomast.recipe import Pretrained

ROBERTA = ("roberta", "xlm-roberta", "camembert")  # number positions from the padding id on
FAMILIES = ("bert", "electra", *ROBERTA)
_LAYER = re.compile(r"\.layer\.(\d+)\.")


def add_encoders(graph: Graph, encoders: Sequence[Tensors], config: Mapping[str, Any], recipe: Pretrained) -> list[int]:
    """Add `hidden` (N, S, D): vectors of sub-words `ids` (N, S), `attended` being 1 where they are real.

    Those of several encoders stand side by side; returns how many columns are each encoder's.
    """
    ids = graph.input("ids", np.int64, ("N", "S"))
    attended = graph.input("attended", np.int64, ("N", "S"))
    seen = graph.unsqueeze(graph.op("Greater", attended, graph.constant(0, np.int64)), 1, 2)  # (N, 1, 1, S)
    made = [_encoder(graph, encoder, config, recipe, ids, seen) for encoder in encoders]
    width = int(config["hidden_size"])
    joined = made[0] if len(made) == 1 else graph.op("Concat", *made, axis=2)
    graph.output("hidden", joined, np.float32, ("N", "S", str(width * len(made))))
    return [width] * len(made)


def require_family(config: Mapping[str, Any], folder: Any) -> None:
    """Raises ModelError for an encoder that this module does not know how to build."""
    family, activation = config.get("model_type"), config.get("hidden_act", "gelu")
    if family not in FAMILIES:
        raise ModelError(
            f"its encoder is of the family {family!r}, which cannot be exported yet; expected one of "
            f"{', '.join(FAMILIES)}; tag with the model folder itself",
            folder=folder,
        )
    if activation not in _ACTIVATIONS or config.get("position_embedding_type", "absolute") != "absolute":
        raise ModelError(
            f"its encoder has the activation {activation!r} or relative positions, which cannot be exported yet; "
            "tag with the model folder itself",
            folder=folder,
        )


def _encoder(graph: Graph, encoder: Tensors, config: Mapping[str, Any], recipe: Pretrained, ids: str, seen: str) -> str:
    """(N, S, D) of the recipe's layer, or the mix of all layers."""
    model = encoder.inner("model")
    epsilon = float(config["layer_norm_eps"])
    hidden = _embedded(graph, model, config, ids)
    states = [hidden]
    prefix = model.prefixes[0]
    numbers = {int(match[1]) for name in model.values if name.startswith(prefix) and (match := _LAYER.search(name))}
    for number in range(len(numbers)):
        layer = model.inner(f"encoder.layer.{number}")
        attended = _attended(graph, layer.inner("attention.self"), hidden, seen, int(config["num_attention_heads"]))
        attended = _linear(graph, layer.inner("attention.output.dense"), attended)
        hidden = _norm(graph, layer.inner("attention.output.LayerNorm"), graph.op("Add", attended, hidden), epsilon)
        inner = _activated(graph, config, _linear(graph, layer.inner("intermediate.dense"), hidden))
        inner = _linear(graph, layer.inner("output.dense"), inner)
        hidden = _norm(graph, layer.inner("output.LayerNorm"), graph.op("Add", inner, hidden), epsilon)
        states.append(hidden)
    if recipe.layer != "mix":
        return hidden
    mix = encoder.inner("mix")
    scale, weights = (mix.values[mix.prefixes[0] + name] for name in ("scale", "weights"))
    shares = np.exp(weights - weights.max())
    shares = scale * shares / shares.sum()
    return graph.op(
        "Sum",
        *(graph.op("Mul", one, graph.constant(share, np.float32)) for one, share in zip(states, shares, strict=True)),
    )


def _embedded(graph: Graph, model: Tensors, config: Mapping[str, Any], ids: str) -> str:
    """Sub-words, their positions and the type of the first text -> (N, S, D)."""
    part = model.inner("embeddings")
    words = graph.op("Gather", part.weight("word_embeddings.weight"), ids)
    if config["model_type"] in ROBERTA:
        padding = int(config["pad_token_id"])
        real = graph.cast(graph.op("Not", graph.op("Equal", ids, graph.constant(padding, np.int64))), np.int64)
        counted = graph.op("Mul", graph.op("CumSum", real, graph.constant(1, np.int64)), real)
        numbers = graph.op("Add", counted, graph.constant(padding, np.int64))
    else:
        numbers = graph.unsqueeze(graph.numbers(graph.shape(ids, 1)), 0)
    positions = graph.op("Gather", part.weight("position_embeddings.weight"), numbers)
    kinds = part.weight("token_type_embeddings.weight", make=lambda array: array[0])
    total = graph.op("Add", graph.op("Add", words, kinds), positions)
    hidden = _norm(graph, part.inner("LayerNorm"), total, float(config["layer_norm_eps"]))
    if "embeddings_project.weight" in model:
        hidden = _linear(graph, model.inner("embeddings_project"), hidden)
    return hidden


def _attended(graph: Graph, part: Tensors, hidden: str, seen: str, heads: int) -> str:
    """Multi-head self-attention, before its output layer: (N, S, D)."""
    size = part.shape("query.weight")[0] // heads

    def split(name: str) -> str:
        made = graph.op("Reshape", _linear(graph, part.inner(name), hidden), graph.ints(0, 0, heads, size))
        return graph.op("Transpose", made, perm=[0, 2, 3, 1] if name == "key" else [0, 2, 1, 3])

    queries = graph.op("Mul", split("query"), graph.constant(size**-0.5, np.float32))
    scores = graph.op("MatMul", queries, split("key"))  # (N, heads, S, S)
    scores = graph.op("Where", seen, scores, graph.constant(np.finfo(np.float32).min, np.float32))
    mixed = graph.op("MatMul", graph.op("Softmax", scores, axis=-1), split("value"))
    return graph.op("Reshape", graph.op("Transpose", mixed, perm=[0, 2, 1, 3]), graph.ints(0, 0, heads * size))


def _norm(graph: Graph, part: Tensors, value: str, epsilon: float) -> str:
    return graph.op("LayerNormalization", value, part.weight("weight"), part.weight("bias"), axis=-1, epsilon=epsilon)


def _linear(graph: Graph, part: Tensors, value: str) -> str:
    return graph.dot(value, part.weight("weight", make=np.transpose), part.weight("bias"))


def _activated(graph: Graph, config: Mapping[str, Any], value: str) -> str:
    return _ACTIVATIONS[config.get("hidden_act", "gelu")](graph, value)


def _gelu(graph: Graph, value: str) -> str:
    """x * (1 + erf(x / sqrt 2)) / 2."""
    inner = graph.op("Erf", graph.op("Mul", value, graph.constant(0.5**0.5, np.float32)))
    shares = graph.op("Add", inner, graph.constant(1.0, np.float32))
    return graph.op("Mul", graph.op("Mul", value, shares), graph.constant(0.5, np.float32))


def _gelu_by_tanh(graph: Graph, value: str) -> str:
    """x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2."""
    cube = graph.op("Mul", graph.op("Mul", value, value), value)
    inner = graph.op("Add", value, graph.op("Mul", cube, graph.constant(0.044715, np.float32)))
    inner = graph.op("Tanh", graph.op("Mul", inner, graph.constant((2 / np.pi) ** 0.5, np.float32)))
    shares = graph.op("Add", inner, graph.constant(1.0, np.float32))
    return graph.op("Mul", graph.op("Mul", value, shares), graph.constant(0.5, np.float32))


_ACTIVATIONS: Mapping[str, Callable[[Graph, str], str]] = {
    "gelu": _gelu,
    "gelu_new": _gelu_by_tanh,
    "gelu_pytorch_tanh": _gelu_by_tanh,
    "relu": lambda graph, value: graph.op("Relu", value),
}
