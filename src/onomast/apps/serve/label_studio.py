"""Label Studio's ML backend: tasks in, pre-annotations out, in the names of the project's own label config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from onomast.apps.model import Entities
from onomast.errors import DataError


@dataclass(frozen=True)
class Config:
    """What a project's label config says of the one pair of tags that takes entities of a text."""

    from_name: str
    """Name of the `Labels` tag."""
    to_name: str
    """Name of the `Text` tag."""
    field: str
    """The field of a task's data that holds the text."""
    labels: tuple[str, ...]


def read_config(xml: str) -> Config:
    """Read a label config. Raises DataError unless it has a `Labels` and the `Text` it labels."""
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise DataError("label_config: it declares a document type or entities; expected plain tags")
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise DataError(f"label_config: not XML ({error})") from None
    texts = {tag.get("name"): tag.get("value", "") for tag in root.iter() if tag.tag in ("Text", "HyperText")}
    for tag in root.iter():
        name, target = tag.get("name"), tag.get("toName")
        if tag.tag in ("Labels", "HyperTextLabels") and name and target in texts:
            labels = tuple(label.get("value", "") for label in tag.iter("Label"))
            return Config(name, str(target), texts[target].removeprefix("$"), labels)
    raise DataError("label_config: there is no <Labels> with the <Text> that its toName names")


def texts_of(tasks: Sequence[Mapping[str, Any]], config: Config) -> list[str]:
    """The text of each task. Raises DataError naming the first task without one."""
    texts = []
    for number, task in enumerate(tasks):
        text = task.get("data", {}).get(config.field)
        if not isinstance(text, str):
            raise DataError(f"task {task.get('id', number)}: there is no text in data.{config.field}")
        texts.append(text)
    return texts


def predictions(found: Sequence[Entities], config: Config, version: str) -> list[dict[str, Any]]:
    """One prediction for each text. Entities whose label the project does not have are left out."""
    made = []
    for entities in found:
        kept = [one for one in entities if not config.labels or one.label in config.labels]
        results = [
            {
                "id": f"onomast-{number}",
                "from_name": config.from_name,
                "to_name": config.to_name,
                "type": "labels",
                "value": {"start": one.start, "end": one.end, "text": one.text, "labels": [one.label]},
                "score": one.confidence,
            }
            for number, one in enumerate(kept)
        ]
        scores = [one.confidence for one in kept if one.confidence is not None]
        made.append({"result": results, "score": min(scores, default=1.0), "model_version": version})
    return made
