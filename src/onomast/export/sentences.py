"""The graph of a sentence: vectors of its words -> BiLSTM, attention, neighbours -> tags and their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from onomast.export.chain import add_chain
from onomast.export.graph import Graph, Tensors
from onomast.export.words import lstm
from onomast.recipe import LSTMSettings, Neural
from onomast.tags import TagScheme


@dataclass(frozen=True)
class Batch:
    """The inputs of the graph, as its parts want them."""

    places: str
    """(B, T) the row of each token among the words' vectors"""
    lengths: str
    """(B,) tokens of each sentence"""
    real: str
    """(B, T, 1) bool, True where a token is real"""


def add_batch(graph: Graph) -> Batch:
    """Declare the inputs `places` and `lengths`."""
    places = graph.input("places", np.int64, ("B", "T"))
    lengths = graph.input("lengths", np.int64, ("B",))
    steps = graph.unsqueeze(graph.numbers(graph.shape(places, 1)), 0)
    real = graph.unsqueeze(graph.op("Less", steps, graph.unsqueeze(lengths, 1)), 2)
    return Batch(places, lengths, real)


def add_encoder(graph: Graph, encoder: Tensors, recipe: LSTMSettings, batch: Batch, words: str, languages: int) -> str:
    """The hidden vectors (B, T, D) of one encoder, from the vectors (W, D') of its words.

    `languages`: how many have an LSTM of their own, 0 if it is shared.
    """
    part = encoder.inner("lstm", languages=languages)
    turned = graph.op("Gather", words, graph.op("Transpose", batch.places, perm=[1, 0]))  # (T, B, D')
    for layer in range(recipe.layers):
        names = (f"rightward.{layer}", f"leftward.{layer}")
        states, _ = lstm(graph, part, names, turned, batch.lengths)  # (T, 2, B, H), 0 at padding
        if layer + 1 < recipe.layers:
            turned = graph.op("Transpose", states, perm=[0, 2, 1, 3])
            turned = graph.op("Reshape", turned, graph.ints(0, 0, 2 * recipe.width))
    hidden = graph.op("Transpose", states, perm=[2, 0, 1, 3])
    hidden = graph.op("Reshape", hidden, graph.ints(0, 0, 2 * recipe.width))  # (B, T, 2 H)
    if recipe.attention == "soft":
        hidden = _soft_attention(graph, encoder.inner("attention"), recipe, batch, hidden)
    elif recipe.attention != "none":
        hidden = _self_attention(graph, encoder.inner("attention"), recipe, batch, hidden)
    if recipe.skip:
        hidden = graph.op("Concat", hidden, *_neighbours(graph, recipe.skip, batch, words), axis=2)
    return hidden


def add_heads(
    graph: Graph, heads: Tensors, recipe: Neural, scheme: TagScheme, batch: Batch, hidden: str, languages: int
) -> list[str]:
    """Add `HEAD_ids` and `HEAD_confidence` for every head that was saved; returns their names.

    (B, T) each, (B,) for the sentence label. `languages`: how many have an entity head of their own, 0 if it is shared.
    """
    entities = heads.inner("entities", languages=languages)
    scores = _projected(graph, entities, hidden)
    if recipe.heads.entities.kind == "softmax":
        _add_best(graph, "entities", scores, ("B", "T"))
    else:
        ids, sure = add_chain(graph, entities, scheme, scores, batch.lengths)
        _add_output(graph, "entities", ids, graph.cast(sure, np.float32), ("B", "T"))
    names = ["entities"]
    if "pos.projection.weight" in heads:
        _add_best(graph, "pos", _projected(graph, heads.inner("pos"), hidden), ("B", "T"))
        names.append("pos")
    if "sentence.projection.weight" in heads:
        held = graph.op("Where", batch.real, hidden, graph.constant(-np.inf, np.float32))
        pooled = graph.op("ReduceMax", held, axes=[1], keepdims=0)  # (B, D)
        _add_best(graph, "sentence", _projected(graph, heads.inner("sentence"), pooled), ("B",))
        names.append("sentence")
    return names


def _soft_attention(graph: Graph, part: Tensors, recipe: LSTMSettings, batch: Batch, hidden: str) -> str:
    """See `layers.attention.SoftAttention`."""
    inner = graph.op("Tanh", _linear(graph, part.inner("inner"), hidden))
    weights = graph.op("Sigmoid", _linear(graph, part.inner("outer"), inner))  # (B, T, 1)
    weights = graph.op("Mul", weights, graph.cast(batch.real, np.float32))
    shares = graph.op("Div", weights, graph.op("ReduceSum", weights, graph.ints(1), keepdims=1))
    attended = graph.op("Mul", hidden, shares)
    return graph.op("Add", hidden, attended) if recipe.residual else attended


def _self_attention(graph: Graph, part: Tensors, recipe: LSTMSettings, batch: Batch, hidden: str) -> str:
    """See `layers.attention.SelfAttention`."""
    heads, size = recipe.attention_heads, 2 * recipe.width // recipe.attention_heads
    weights = part.weight("queries_keys_values.weight", make=np.transpose)
    split = graph.op("Reshape", graph.dot(hidden, weights), graph.ints(0, 0, 3, heads, size))
    stacked = graph.op("Transpose", split, perm=[2, 0, 3, 1, 4])  # (3, B, heads, T, size)
    queries, keys, values = (graph.op("Gather", stacked, graph.constant(place, np.int64), axis=0) for place in range(3))
    queries = graph.op("Div", queries, _divisor(graph, part, recipe, hidden, size**0.5))
    scores = graph.op("MatMul", queries, graph.op("Transpose", keys, perm=[0, 1, 3, 2]))  # (B, heads, T, T)
    seen = graph.unsqueeze(graph.op("Transpose", batch.real, perm=[0, 2, 1]), 1)  # (B, 1, 1, T)
    shares = graph.op("Softmax", graph.op("Where", seen, scores, graph.constant(-np.inf, np.float32)), axis=-1)
    mixed = graph.op("Transpose", graph.op("MatMul", shares, values), perm=[0, 2, 1, 3])
    mixed = graph.op("Reshape", mixed, graph.ints(0, 0, heads * size))
    attended = graph.dot(mixed, part.weight("output.weight", make=np.transpose))
    return graph.op("Add", hidden, attended) if recipe.residual else attended


def _divisor(graph: Graph, part: Tensors, recipe: LSTMSettings, hidden: str, bound: float) -> str:
    """What each query's scores are divided by."""
    if recipe.attention != "learned":
        return graph.constant(bound if recipe.attention == "scaled" else 1.0, np.float32)
    learned = graph.op("Relu", _linear(graph, part.inner("temperature"), hidden))  # (B, T, 1)
    learned = graph.op("Min", learned, graph.constant(bound, np.float32))
    return graph.unsqueeze(graph.op("Add", learned, graph.constant(1.0, np.float32)), 1)


def _neighbours(graph: Graph, positions: Sequence[int], batch: Batch, words: str) -> list[str]:
    """The words' vectors at positions relative to each token, 0 beyond the sentence: (B, T, D') each."""
    vectors = graph.op("Gather", words, batch.places)
    vectors = graph.op("Where", batch.real, vectors, graph.constant(0.0, np.float32))
    reach = max(abs(position) for position in positions)
    padded = graph.op("Pad", vectors, graph.ints(0, reach, 0, 0, reach, 0))
    length = graph.shape(vectors, 1)
    made = []
    for position in positions:
        start = graph.ints(reach + position)
        made.append(graph.op("Slice", padded, start, graph.op("Add", length, start), graph.ints(1)))
    return made


def _projected(graph: Graph, head: Tensors, hidden: str) -> str:
    return _linear(graph, head.inner("projection"), hidden)


def _linear(graph: Graph, part: Tensors, value: str) -> str:
    return graph.dot(value, part.weight("weight", make=np.transpose), part.weight("bias"))


def _add_best(graph: Graph, name: str, scores: str, axes: tuple[str, ...]) -> None:
    """The likeliest class of each row, and its probability."""
    logs = graph.op("LogSoftmax", scores, axis=-1)
    ids = graph.op("ArgMax", logs, axis=-1, keepdims=0)
    sure = graph.op("Exp", graph.op("ReduceMax", logs, axes=[-1], keepdims=0))
    _add_output(graph, name, ids, sure, axes)


def _add_output(graph: Graph, name: str, ids: str, sure: str, axes: tuple[str, ...]) -> None:
    graph.output(f"{name}_ids", ids, np.int64, axes)
    graph.output(f"{name}_confidence", sure, np.float32, axes)
