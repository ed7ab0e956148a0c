"""Rules for recipes beyond the types of their fields: values within bounds, and no field that nothing uses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from onomast.errors import RecipeError

# Dotted field -> smallest and largest value; of a list, those of each item. Far beyond any use, and small enough that
# a damaged or hostile recipe cannot exhaust the machine.
_POSITIONS = (-100, 100)
_WIDTH = (1, 4096)
_COUNT = (0, 1_000_000_000)
_SHARE = (0.0, 1.0)
_BOUNDS: Mapping[str, tuple[float, float]] = {
    "seed": (0, 2**32 - 1),
    **dict.fromkeys(
        (
            f"linear.features.{name}"
            for name in (
                "word",
                "lower",
                "affix_window",
                "shape",
                "bigrams",
                "shape_bigrams",
                "pos",
                "cluster_window",
                "vector_binary",
                "vector_dense",
            )
        ),
        _POSITIONS,
    ),
    "linear.features.prefix": (0, 100),
    "linear.features.suffix": (0, 100),
    "linear.features.vector_clusters": (1, 1_000_000),
    "linear.max_iterations": (0, 2**31 - 1),
    "linear.minimum_count": _COUNT,
    "neural.ensemble_size": (1, 100),
    "neural.words.width": _WIDTH,
    "neural.words.min_count": _COUNT,
    "neural.words.dropout": _SHARE,
    "neural.words.affixes": (0, 50),
    "neural.words.affix_width": (1, 512),
    "neural.words.shape_width": (0, 1024),
    "neural.words.ngram_rows": (0, 10_000_000),
    "neural.characters.embedding": (1, 1024),
    "neural.characters.width": (1, 1024),
    "neural.characters.sizes": (1, 50),
    "neural.characters.dropout": _SHARE,
    "neural.encoder.width": _WIDTH,
    "neural.encoder.layers": (1, 16),
    "neural.encoder.dropout": _SHARE,
    "neural.encoder.attention_heads": (1, 1024),
    "neural.encoder.skip": _POSITIONS,
    "neural.pretrained.shape_width": (0, 1024),
    "neural.pretrained.dropout": _SHARE,
    "neural.pretrained.window": (0, 1_000_000),
    "neural.triggers.epochs": _COUNT,
    "neural.triggers.width": _WIDTH,
    "neural.triggers.hops": (1, 1024),
    "neural.triggers.margin": (0.0, 1e6),
    "neural.triggers.nearest": (1, 1_000_000),
    "neural.training.batch_size": (1, 1_000_000),
    "neural.training.gradient_accumulation": (1, 1_000_000),
    "neural.training.epochs": _COUNT,
    "neural.training.steps": _COUNT,
    "neural.training.pretrain_epochs": _COUNT,
    "neural.training.warmup": _SHARE,
    "neural.training.dev_fraction": _SHARE,
    "neural.training.averaging": _SHARE,
    "neural.training.threads": (1, 1024),
    "sources.batch_size": (1, 1_000_000),
    "self_training.rounds": (0, 1000),
    "self_training.sentences": _COUNT,
    "self_training.confidence": _SHARE,
    "augment.dictionary": (-math.inf, 10_000_000),
    "augment.label": (-math.inf, 10_000_000),
    "augment.oversample": (-math.inf, 1000.0),
}
_LONGEST_LIST = 1000


def require_bounds(table: Mapping[str, Any]) -> None:
    """Check the values of a recipe's table. Raises RecipeError for one out of bounds, and for `nan` and `inf`."""
    for key, value in dotted(table):
        numbers = list(_numbers(value))
        least, most = _BOUNDS.get(key, (-math.inf, math.inf))
        if len(numbers) > _LONGEST_LIST:
            raise RecipeError(f"has {len(numbers):,} items; expected at most {_LONGEST_LIST:,}", key=key)
        for number in numbers:
            if not math.isfinite(number) or not least <= number <= most:
                raise RecipeError(f"is {number}; expected {_expected(least, most)}", key=key)


def _expected(least: float, most: float) -> str:
    if not math.isfinite(most):
        return "a finite number"
    return f"{least:,} to {most:,}" if math.isfinite(least) else f"at most {most:,}"


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def require_used(changed: Mapping[str, Any], recipe: Mapping[str, Any]) -> None:
    """Raise RecipeError for the first field that is changed from its default and that this recipe's tagger ignores.

    `changed`: the recipe's table without the values that are as by default; `recipe`: the whole table.
    """
    for key, _ in dotted(changed):
        for prefix, reason in _unused(recipe):
            if key == prefix or key.startswith(f"{prefix}."):
                raise RecipeError(f"is not used: {reason}; leave the field out", key=key)


def _unused(recipe: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Fields, or tables of them, that the recipe's tagger ignores, and why."""
    if recipe["tagger"] == "linear":
        yield from _each("a linear tagger has no neural network", ("neural", "stage"))
        reason = "only a neural tagger learns from sentences that a dictionary labels"
        yield from _each(reason, ("augment.label",))
        reason = "a linear tagger has no batches; it repeats sentences as sources.mu and sources.weights say"
        yield from _each(reason, ("sources.schedule", "sources.batch_size", "sources.smoothing"))
        return
    yield from _each("a neural tagger does not use CRFsuite", ("linear",))
    neural = recipe["neural"]
    entities = neural["heads"]["entities"]
    if neural["pretrained"]["model"]:
        reason = "neural.pretrained.model takes the place of words, characters and LSTM"
        yield from _each(reason, ("neural.words", "neural.characters", "neural.encoder", "neural.context"))
    else:
        yield from _each("neural.pretrained.model is empty", ("neural.pretrained",))
    if neural["characters"]["kind"] != "cnn":
        yield from _each("neural.characters.kind is not cnn", ("neural.characters.sizes",))
    if neural["triggers"]["kind"] == "none":
        yield from _each("neural.triggers.kind is none", ("neural.triggers",))
    if entities["kind"] != "bernoulli":
        reason = "neural.heads.entities.kind is not bernoulli"
        yield from _each(reason, ("neural.heads.entities.beta", "neural.heads.entities.wrong"))
    if entities["kind"] != "softmax":
        reason = "neural.heads.entities.kind is not softmax"
        yield from _each(reason, ("neural.heads.entities.focal", "neural.heads.entities.class_weights"))
    if neural["training"]["optimizer"] != "sgd":
        yield from _each("neural.training.optimizer is not sgd", ("neural.training.momentum",))


def _each(reason: str, keys: Iterable[str]) -> Iterator[tuple[str, str]]:
    for key in keys:
        yield key, reason


def dotted(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and value of every field of nested tables: `{"a": {"b": 1}}` -> `("a.b", 1)`."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
