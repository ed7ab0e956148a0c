"""What clients send and get, as JSON: read, checked against the limits of the server, and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from onomast.apps.model import Entities, Item
from onomast.apps.serve.queue import tokens_of


@dataclass(frozen=True)
class Limits:
    """What one request may hold, and how long it may take."""

    bytes: int = 1 << 20
    texts: int = 256
    tokens: int = 20_000
    seconds: float = 30.0


class Refused(Exception):  # noqa: N818 - reads as what it is
    """A request that is answered by an error; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class TagRequest(BaseModel):
    """Texts, or sentences given as tokens: one of the two."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str | list[str] | None = Field(None, description="One text of any length, or several.")
    tokens: list[str] | list[list[str]] | None = Field(None, description="The tokens of one sentence, or of several.")
    model: str | None = Field(None, description="Name of the model; without it the first one answers.")
    language: str | None = Field(None, description="Of the texts (ISO 639-3), for models of several languages.")
    offsets: Literal["codepoint", "utf16"] = Field(
        "codepoint", description="What start and end count: Unicode code points, or UTF-16 units as in JavaScript."
    )
    min_confidence: float = Field(0.0, ge=0, le=1, description="Leave out entities less probable than this.")

    @property
    def items(self) -> list[Item]:
        """What is to be tagged. Raises Refused unless there are either texts or tokens."""
        if (self.text is None) == (self.tokens is None):
            raise Refused(422, "give either text or tokens")
        if self.text is not None:
            return [self.text] if isinstance(self.text, str) else list(self.text)
        if self.tokens and isinstance(self.tokens[0], str):
            return [self.tokens]
        return list(self.tokens or [])


class EntityAnswer(BaseModel):
    """`text[start:end]`; of tokens the text is the tokens joined by spaces."""

    start: int
    end: int
    label: str
    text: str
    confidence: float | None = Field(description="In [0, 1]: the smallest tag probability in the entity.")


class Answer(BaseModel):
    """The entities of one text."""

    entities: list[EntityAnswer]


class TagAnswer(BaseModel):
    """One result for each text, in order."""

    model: str
    version: str
    results: list[Answer]


def parse(body: bytes, limits: Limits) -> tuple[TagRequest, list[Item]]:
    """A request and its items. Raises Refused: 422 for what is malformed, 413 for what is too much."""
    try:
        request = TagRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(422, f"{where + ': ' if where else ''}{first['msg']}") from None
    items = request.items
    if len(items) > limits.texts:
        raise Refused(413, f"{len(items)} texts; at most {limits.texts} are taken at once")
    tokens = tokens_of(items)
    if tokens > limits.tokens:
        raise Refused(413, f"about {tokens} tokens; at most {limits.tokens} are taken at once")
    return request, items


def results(found: Sequence[Entities], request: TagRequest) -> list[dict[str, Any]]:
    """The answers to a request's items, as plain data."""
    return [{"entities": _entities(one, request)} for one in found]


def _entities(found: Entities, request: TagRequest) -> list[dict[str, Any]]:
    units = utf16_positions(found.text) if request.offsets == "utf16" and not found.text.isascii() else None
    return [
        {
            "start": one.start if units is None else units[one.start],
            "end": one.end if units is None else units[one.end],
            "label": one.label,
            "text": one.text,
            "confidence": one.confidence,
        }
        for one in found
        if one.confidence is None or one.confidence >= request.min_confidence
    ]


def utf16_positions(text: str) -> list[int]:
    """The UTF-16 unit at which each code point begins, and the end."""
    positions, at = [], 0
    for character in text:
        positions.append(at)
        at += 2 if ord(character) > 0xFFFF else 1
    return [*positions, at]
