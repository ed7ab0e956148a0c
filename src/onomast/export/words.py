"""The graph of what depends on a word alone: W distinct words -> their vectors, which the tagger then keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onomast.export.graph import Array, Graph, Tensors
from onomast.recipe import Neural
from onomast.taggers.neural.vocabulary import AFFIX_BUCKETS, SHAPE_BUCKETS, UNKNOWN_WORD


def add_words(graph: Graph, encoders: Sequence[Tensors], recipe: Neural, languages: int, width: int) -> list[int]:
    """Add the output `made` (W, D): the vectors of W words, those of all encoders side by side.

    Returns how many of the D columns are each encoder's. `languages`: how many have a character encoder of their own,
    0 if it is shared. `width`: that of the rows of the vectors file, 0 without one.
    """
    made, sizes = [], []
    for encoder in encoders:
        parts = []
        for number, name in enumerate(recipe.encoder.order):
            part = encoder.inner(f"parts.{number}", languages=languages if name == "char" else 0)
            if name == "word":
                parts.append(_word(graph, part, width))
            elif name == "char":
                parts.append(_characters(graph, part.inner("encoder"), recipe))
            else:
                parts.append(_hashed(graph, part.inner("table"), name, recipe))
        made += [value for value, _ in parts]
        sizes.append(sum(size for _, size in parts))
    graph.output("made", graph.op("Concat", *made, axis=1), np.float32, ("W", str(sum(sizes))))
    return sizes


def _word(graph: Graph, part: Tensors, width: int) -> tuple[str, int]:
    """Word embeddings, or rows of a vectors file, tuned and projected as they were in training."""
    if not width:
        ids = graph.input("words", np.int64, ("W",))
        return graph.op("Gather", part.weight("table.weight"), ids), part.shape("table.weight")[1]
    vectors = graph.input("vectors", np.float32, ("W", str(width)))
    if "table.weight" in part:
        ids = graph.input("words", np.int64, ("W",))
        known = graph.unsqueeze(graph.op("Greater", ids, graph.constant(UNKNOWN_WORD, np.int64)), 1)
        vectors = graph.op("Where", known, graph.op("Gather", part.weight("table.weight"), ids), vectors)
    if "projection.weight" in part:
        size = part.shape("projection.weight")[0]
        return graph.dot(vectors, part.weight("projection.weight", make=np.transpose)), size
    return vectors, width


def _hashed(graph: Graph, part: Tensors, source: str, recipe: Neural) -> tuple[str, int]:
    """Embeddings of affixes, side by side, or of the shape."""
    size = part.shape("table.weight")[1]
    if source == "shape":
        ids = graph.op("Mod", graph.input("shapes", np.int64, ("W",)), graph.constant(SHAPE_BUCKETS, np.int64))
        return graph.op("Gather", part.weight("table.weight"), ids), size
    count = 2 * recipe.words.affixes
    ids = graph.input("affixes", np.int64, ("W", str(count)))
    places = graph.op("Add", ids, graph.constant(np.arange(count) * AFFIX_BUCKETS, np.int64))
    rows = graph.op("Gather", part.weight("table.weight"), places)  # (W, F, width)
    return graph.op("Reshape", rows, graph.ints(0, count * size)), count * size


def _characters(graph: Graph, part: Tensors, recipe: Neural) -> tuple[str, int]:
    """The last states of an LSTM in both directions, or the largest values of convolutions."""
    ids = graph.input("characters", np.int64, ("W", "C"))
    lengths = graph.input("lengths", np.int64, ("W",))
    vectors = graph.op("Gather", part.weight("table.weight"), ids)  # (W, C, E)
    if recipe.characters.kind == "cnn":
        return _convolved(graph, part, vectors, lengths, recipe)
    hidden = recipe.characters.width
    states = lstm(graph, part, ("rightward", "leftward"), graph.op("Transpose", vectors, perm=[1, 0, 2]), lengths)[1]
    return graph.op(
        "Reshape", graph.op("Transpose", states, perm=[1, 0, 2]), graph.ints(0, 2 * hidden)
    ), 2 * hidden  # (2, W, H) -> (W, 2 H)


def lstm(graph: Graph, part: Tensors, names: tuple[str, str], inputs: str, lengths: str) -> tuple[str, str]:
    """A bidirectional LSTM over inputs (T, B, E) of lengths (B,): all states (T, 2, B, H), the last ones (2, B, H).

    `names`: of the modules that hold the directions' weights.
    """

    def pair(kind: str) -> list[str]:
        return [f"{name}.{kind}_l0" for name in names]

    def joined(*arrays: Array) -> Array:
        return np.stack([_gates(array) for array in arrays])

    def biases(first: Array, second: Array, third: Array, fourth: Array) -> Array:
        return np.stack(
            [np.concatenate([_gates(first), _gates(third)]), np.concatenate([_gates(second), _gates(fourth)])]
        )

    states, last, _ = graph.ops(
        "LSTM",
        [
            inputs,
            part.weight(*pair("weight_ih"), make=joined),
            part.weight(*pair("weight_hh"), make=joined),
            part.weight(*pair("bias_ih"), *pair("bias_hh"), make=biases),
            graph.cast(lengths, np.int32),
        ],
        3,
        hidden_size=part.shape(f"{names[0]}.weight_hh_l0")[1],
        direction="bidirectional",
    )
    return states, last


def _gates(weights: Array) -> Array:
    """Rows in PyTorch's order (input, forget, cell, output) -> ONNX's (input, output, forget, cell)."""
    enter, forget, new, leave = np.split(weights, 4)
    return np.concatenate([enter, leave, forget, new])


def _convolved(graph: Graph, part: Tensors, vectors: str, lengths: str, recipe: Neural) -> tuple[str, int]:
    """Vectors (W, C, E) -> the maximum over every window with a character of the word in it."""
    turned = graph.op("Transpose", vectors, perm=[0, 2, 1])
    made = []
    for number, size in enumerate(recipe.characters.sizes):
        filters = part.inner(f"filters.{number}")
        outputs = graph.op(
            "Conv", turned, filters.weight("weight"), filters.weight("bias"), pads=[size - 1, size - 1]
        )  # (W, F, C + size - 1)
        windows = graph.unsqueeze(graph.numbers(graph.shape(outputs, 2)), 0)
        last = graph.unsqueeze(graph.op("Add", lengths, graph.constant(size - 1, np.int64)), 1)
        inside = graph.unsqueeze(graph.op("Less", windows, last), 1)  # (W, 1, C + size - 1)
        held = graph.op("Where", inside, outputs, graph.constant(-np.inf, np.float32))
        made.append(graph.op("ReduceMax", held, axes=[2], keepdims=0))
    return graph.op("Concat", *made, axis=1), recipe.characters.width * len(recipe.characters.sizes)
