"""Starting from a checkpoint that already tags names: the rows of its classifier become the first rows of our head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from onomast.errors import ModelError, RecipeError
from onomast.pretrained.hub import read_labels, read_tensors
from onomast.recipe import Pretrained
from onomast.taggers.neural.network import Network
from onomast.tags import OUTSIDE, split_tag

_WEIGHT, _BIAS = "classifier.weight", "classifier.bias"  # in all families
_MEANING = {"M": "I", "L": "E", "U": "S"}
# Whose rows stand in for a prefix of ours, the best first.
_STAND_INS = {"B": "BSI", "I": "IEB", "E": "EIB", "S": "SBI"}


def start_heads(network: Network, settings: Pretrained) -> str:
    """Give the entity heads the rows of the checkpoint's classifier, by `settings.labels`; returns what was done.

    Of labels without a counterpart the rows stay as they are. Raises ModelError for a checkpoint that does not tag
    tokens, RecipeError for a map that does not fit.
    """
    if not settings.model:
        raise RecipeError(
            "map the labels of a pre-trained model; set neural.pretrained.model", key="neural.pretrained.labels"
        )
    theirs = read_labels(settings.model)
    found = read_tensors(settings.model, (_WEIGHT, _BIAS))
    width = network.encoder.width - settings.shape_width  # shapes stand behind the encoder's own vector
    if found.keys() != {_WEIGHT, _BIAS} or found[_WEIGHT].shape != (len(theirs), width):
        raise ModelError(
            "has no classifier of tokens to take rows from; leave neural.pretrained.labels out, or take a model that "
            "tags names",
            folder=settings.model,
        )
    ours = network.scheme.labels
    _check(settings.labels, theirs, ours)
    rows = rows_of(network.scheme.tags, theirs, settings.labels)
    projections = [
        module for module in network.heads["entities"].modules() if isinstance(module, nn.Linear)
    ]  # of each language's head
    with torch.no_grad():
        for projection in projections:
            for place, sources in enumerate(rows):
                if sources:
                    projection.weight[place, :width] = found[_WEIGHT][sources].mean(0)
                    projection.bias[place] = found[_BIAS][sources].mean()
    taken = ", ".join(f"{old} -> {new}" for old, new in settings.labels.items() if new in ours)
    anew = [label for label in ours if label not in settings.labels.values()]
    return f"{settings.model}: its head's rows are taken over ({taken})" + (
        f"; new ones for {', '.join(anew)}" if anew else ""
    )


def rows_of(tags: Sequence[str], theirs: Sequence[str], labels: Mapping[str, str]) -> list[list[int]]:
    """For each of our tags the rows of the checkpoint whose mean it starts from; none: it starts as it is."""
    places: dict[tuple[str, str], list[int]] = {}
    for place, tag in enumerate(theirs):
        prefix, label = split_tag(tag)
        label = OUTSIDE if prefix == OUTSIDE else labels.get(label, "")
        places.setdefault((_MEANING.get(prefix, prefix), label), []).append(place)
    rows = []
    for tag in tags:
        prefix, label = split_tag(tag)
        prefix = _MEANING.get(prefix, prefix)
        candidates = [(OUTSIDE, OUTSIDE)] if prefix == OUTSIDE else [(one, label) for one in _STAND_INS[prefix]]
        rows.append(next((places[one] for one in candidates if one in places), []))
    return rows


def _check(labels: Mapping[str, str], theirs: Sequence[str], ours: Sequence[str]) -> None:
    known = sorted({split_tag(tag)[1] for tag in theirs} - {""})
    unknown = [label for label in labels if label not in known]
    if unknown or not set(labels.values()) & set(ours):
        what = f"the model has no label {unknown[0]!r}" if unknown else "none of its labels becomes one of ours"
        raise RecipeError(
            f"{what}; the model has {', '.join(known)}; the training sentences have {', '.join(ours)}; expected "
            'entries such as PERSON = "PER", the model\'s label first',
            key="neural.pretrained.labels",
        )
