"""A linear-chain CRF in a graph: the best path (Viterbi) and the marginals of its tags, loops (`Scan`) over tokens.

In float64, as in `layers/crf.py`. Sums of exponentials are taken relative to the largest score of a token, so they are
exact as long as the scores of one token's tags lie within 700 of each other.
"""

from __future__ import annotations

import numpy as np

from onomast.export.graph import Array, Graph, Tensors
from onomast.tags import TagScheme


def add_chain(graph: Graph, head: Tensors, scheme: TagScheme, scores: str, lengths: str) -> tuple[str, str]:
    """Scores (B, T, K) and lengths (B,) -> ids of the best path (B, T) and their marginals (B, T), in float64.

    What stands at padding means nothing.
    """
    transitions = head.weight("transitions", make=lambda array: _legal(array, scheme.transitions))
    starts = head.weight("starts", make=lambda array: _legal(array, scheme.starts))
    ends = head.weight("ends", make=lambda array: _legal(array, scheme.ends))
    emissions = graph.op("Transpose", graph.cast(scores, np.float64), perm=[1, 0, 2])  # (T, B, K)
    steps = graph.unsqueeze(graph.numbers(graph.shape(emissions, 0)), 1)  # (T, 1)
    last = graph.op("Sub", lengths, graph.constant(1, np.int64))
    goes_on = graph.op("Less", steps, graph.unsqueeze(last, 0))  # (T, B): is there a token after this one?
    best, forward, backward = _sweep(graph, (transitions, starts, ends), emissions, goes_on)
    rows = graph.numbers(graph.shape(emissions, 1))
    final = graph.op("Concat", graph.unsqueeze(last, 1), graph.unsqueeze(rows, 1), axis=1)  # (B, 2)
    at_end = graph.op("Add", graph.op("GatherND", best, final), ends)  # (B, K)
    path = _traced(graph, transitions, best, goes_on, graph.op("ArgMax", at_end, axis=1, keepdims=0))  # (T, B)
    total = _log_sum(graph, graph.op("Add", graph.op("GatherND", forward, final), ends))  # (B, 1)
    logs = graph.op("Sub", graph.op("Add", forward, backward), total)  # (T, B, K)
    chosen = graph.op("GatherElements", logs, graph.unsqueeze(path, 2), axis=2)
    sure = graph.op("Clip", graph.op("Exp", chosen), graph.constant(0.0, np.float64), graph.constant(1.0, np.float64))
    marginals = graph.op("Squeeze", sure, graph.ints(2))
    return graph.op("Transpose", path, perm=[1, 0]), graph.op("Transpose", marginals, perm=[1, 0])


def _sweep(graph: Graph, scores: tuple[str, str, str], emissions: str, goes_on: str) -> tuple[str, str, str]:
    """Three recursions in one loop, (T, B, K) each: the best score of a path that ends in a tag, the log of the summed
    weights of all such paths, both with the tag's own score, and that of all paths that follow it, without."""
    transitions, starts, ends = scores
    incoming = graph.op("Transpose", transitions, perm=[1, 0])
    top = graph.op("ReduceMax", transitions, axes=[0, 1], keepdims=0)
    factors = graph.op("Exp", graph.op("Sub", transitions, top))
    backwards = graph.op("Transpose", factors, perm=[1, 0])
    body = graph.body()
    state = ("B", "K")
    path, ahead, behind = (body.input(body.name(name), np.float64, state) for name in ("path", "ahead", "behind"))
    left, right = (body.input(body.name(name), np.float64, state) for name in ("left", "right"))
    more = body.input(body.name("more"), np.bool_, ("B",))

    found = body.op("Add", path, left)
    ways = body.op("Add", body.unsqueeze(found, 1), incoming)  # (B, K to, K from)
    body.output(body.name("path_next"), body.op("ReduceMax", ways, axes=[2], keepdims=0), np.float64, state)
    reached = body.op("Add", ahead, left)
    body.output(body.name("ahead_next"), body.op("Add", _moved(body, reached, factors), top), np.float64, state)
    following = body.op("Where", body.unsqueeze(more, 1), behind, ends)  # (B, K)
    left_behind = body.op("Add", _moved(body, body.op("Add", following, right), backwards), top)
    body.output(body.name("behind_next"), left_behind, np.float64, state)
    for name, value in (("paths", found), ("forward", reached), ("backward", following)):
        body.output(body.name(name), value, np.float64, state)

    batch = graph.op("Concat", graph.shape(emissions, 1), graph.shape(emissions, 2), axis=0)
    first, end = (graph.op("Expand", graph.unsqueeze(one, 0), batch) for one in (starts, ends))
    *_, best, forward, backward = graph.ops(
        "Scan",
        [first, first, end, emissions, emissions, goes_on],
        6,
        body=body.finished("sweep"),
        num_scan_inputs=3,
        scan_input_directions=[0, 1, 1],
        scan_output_directions=[0, 0, 1],
    )
    return best, forward, backward


def _traced(graph: Graph, transitions: str, best: str, goes_on: str, last: str) -> str:
    """(T, B) ids: from the last tag (B,) back, the choice at each token is found again from the scores (T, B, K)."""
    incoming = graph.op("Transpose", transitions, perm=[1, 0])
    body = graph.body()
    tag = body.input(body.name("tag"), np.int64, ("B",))
    scores = body.input(body.name("scores"), np.float64, ("B", "K"))
    more = body.input(body.name("more"), np.bool_, ("B",))
    ways = body.op("Add", scores, body.op("Gather", incoming, tag, axis=0))
    chosen = body.op("Where", more, body.op("ArgMax", ways, axis=1, keepdims=0), tag)
    body.output(body.name("before"), chosen, np.int64, ("B",))
    body.output(body.name("path"), chosen, np.int64, ("B",))
    return graph.ops(
        "Scan",
        [last, best, goes_on],
        2,
        body=body.finished("trace"),
        num_scan_inputs=2,
        scan_input_directions=[1, 1],
        scan_output_directions=[1],
    )[1]


def _moved(graph: Graph, logs: str, factors: str) -> str:
    """log(exp(logs) @ factors) for logs (B, K)."""
    top = graph.op("ReduceMax", logs, axes=[1], keepdims=1)
    sums = graph.op("MatMul", graph.op("Exp", graph.op("Sub", logs, top)), factors)
    return graph.op("Add", graph.op("Log", sums), top)


def _log_sum(graph: Graph, logs: str) -> str:
    """log(sum(exp(logs))) over the last axis of (B, K): (B, 1)."""
    top = graph.op("ReduceMax", logs, axes=[1], keepdims=1)
    total = graph.op("ReduceSum", graph.op("Exp", graph.op("Sub", logs, top)), graph.ints(1), keepdims=1)
    return graph.op("Add", graph.op("Log", total), top)


def _legal(scores: Array, legal: Array) -> Array:
    """Scores in float64, -inf where they are not legal."""
    return np.where(legal, scores.astype(np.float64), -np.inf)
