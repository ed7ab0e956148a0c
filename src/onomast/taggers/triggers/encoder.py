"""TriggerEncoder: an encoder whose hidden vectors attend to the triggers that a sentence is most like.

In training a sentence's own triggers are the query; when tagging, the mean of the k training triggers nearest to the
sentence. It fulfils `Encoder`, so that network, heads and training loop are those of every other tagger.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from onomast.errors import RecipeError
from onomast.layers.trigger_matching import QueryAttention, StructuredAttention, nearest_mean
from onomast.recipe import Part, Triggers
from onomast.sentence import Sentence
from onomast.taggers.neural.encoder import Encoder, EncoderInputs, EncoderState
from onomast.taggers.neural.vocabulary import Lexicon
from onomast.taggers.triggers.instances import Instance
from onomast.training.optimizers import ParameterGroup

_ROWS = "triggers"  # number of trigger vectors, in vocabulary.json
_AT_ONCE = 64  # instances encoded together


@dataclass(frozen=True)
class TriggerInputs:
    """A batch of B sentences with M triggers in all."""

    words: EncoderInputs
    triggers: Tensor
    """(M, T) bool, True for the tokens of the trigger; all tokens of a sentence that has none"""
    owners: Tensor
    """(M,) the sentence of each trigger, 0 to B - 1; each occurs"""

    @property
    def language(self) -> int:
        """Index of the batch's language in the encoder's `languages`."""
        return self.words.language


class TriggerEncoder(nn.Module):
    """`[h_i ; alpha_i h_i]` of an encoder's hidden vectors h_i, alpha asking for the triggers.

    `matcher` gives triggers and sentences vectors of one space, `tagger` gives h_i; they may be one module. `rows`
    trigger vectors are expected by `load_state_dict`.
    """

    vectors: Tensor

    def __init__(self, matcher: Encoder, tagger: Encoder | None, settings: Triggers, rows: int = 0) -> None:
        super().__init__()
        if matcher.one_language:
            raise RecipeError("leaves out parts that triggers need all languages to share", key="neural.sharing")
        self.settings = settings
        self.matcher: Encoder = matcher
        self.tagger: Encoder | None = tagger
        """None: the matcher."""
        if hasattr(matcher, "lexicon"):
            self.lexicon = matcher.lexicon  # words are looked up once for both
        self.pooling = StructuredAttention(width=matcher.width, output=settings.width, hops=settings.hops)
        self.attention = QueryAttention(width=matcher.width, query=settings.width)
        self.register_buffer("vectors", torch.zeros(rows, settings.width))  # (N, G)
        self.width = self.attention.width
        self.languages = matcher.languages
        self.one_language: bool = matcher.one_language
        self._instances: Sequence[Instance] = ()
        self._rows: list[int] = []  # the row of `vectors` of each instance
        self._left_out: Tensor | None = None  # (N,) bool
        self._stale = False

    @classmethod
    def saved(cls, matcher: Encoder, settings: Triggers, vocabulary: Mapping[str, Any]) -> TriggerEncoder:
        """The encoder of `state()`, its weights not yet loaded; `matcher` likewise."""
        tagger = copy.deepcopy(matcher) if settings.lstm == "separate" else None
        return cls(matcher, tagger, settings, int(vocabulary[_ROWS]))

    def train(self, mode: bool = True) -> TriggerEncoder:
        """Switch between training and tagging; a shared encoder's trigger vectors are then computed again."""
        self._stale = bool(self._instances) and self.tagger is None
        return super().train(mode)

    def lengths(self, sentences: Sequence[Sentence]) -> list[int]:
        """In the units of the matcher."""
        return self.matcher.lengths(sentences)

    @property
    def lexicon(self) -> Lexicon:
        """Where words are looked up, for both encoders; AttributeError where they read sub-words."""
        lexicon: Lexicon = self.matcher.lexicon  # type: ignore[attr-defined]
        return lexicon

    @lexicon.setter
    def lexicon(self, lexicon: Lexicon) -> None:
        for encoder in filter(None, (self.matcher, self.tagger)):
            encoder.lexicon = lexicon  # type: ignore[attr-defined]

    def prepare(self, sentences: Sequence[Sentence]) -> TriggerInputs:
        """Look words up. Triggers are annotation: they are read in training alone."""
        return self.with_triggers(sentences if self.training else [sentence.bare() for sentence in sentences])

    def with_triggers(self, sentences: Sequence[Sentence]) -> TriggerInputs:
        """Look words up, and read the sentences' triggers."""
        words = self.matcher.prepare(sentences)
        own = [[list(trigger.tokens) for trigger in sentence.triggers] for sentence in sentences]
        rows = [
            (index, tokens)
            for index, (sentence, lists) in enumerate(zip(sentences, own, strict=True))
            for tokens in lists or [list(range(len(sentence)))]
        ]
        triggers = torch.zeros(len(rows), max(map(len, sentences)), dtype=torch.bool)
        for row, (_, tokens) in enumerate(rows):
            triggers[row, tokens] = True
        device = self.vectors.device
        return TriggerInputs(words, triggers.to(device), torch.tensor([index for index, _ in rows], device=device))

    def forward(self, inputs: TriggerInputs) -> tuple[Tensor, Tensor]:
        """TriggerInputs -> hidden vectors (B, T, 2 D) and mask (B, T).

        A training sentence without triggers asks for itself.
        """
        hidden, mask = (self.tagger or self.matcher)(inputs.words)  # (B, T, D)
        if self.training:
            query = self.mean_of_triggers(hidden, inputs)
        else:
            matched = hidden if self.tagger is None else self.matcher(inputs.words)[0]
            query = self._nearest(self.pooling(matched, mask))
        return self.attention(hidden, query, mask), mask

    def mean_of_triggers(self, hidden: Tensor, inputs: TriggerInputs) -> Tensor:
        """hidden (B, T, D) -> (B, G), the mean vector of each sentence's triggers."""
        pooled = self.pooling(hidden[inputs.owners], inputs.triggers)  # (M, G)
        total = pooled.new_zeros(len(hidden), pooled.shape[1]).index_add(0, inputs.owners, pooled)
        counts = inputs.owners.bincount(minlength=len(hidden))
        mean: Tensor = total / counts[:, None]
        return mean

    def remember(self, instances: Sequence[Instance], predicted: Sequence[str]) -> None:
        """Take over the triggers of a training, whose vectors are compared with sentences when tagging.

        `predicted`: the label that the matcher gives each. With `merge`, triggers of equal words are one vector, their
        mean, and those that are predicted to have several labels are left out, unless all are.
        """
        names = [" ".join(one.text) if self.settings.merge else str(row) for row, one in enumerate(instances)]
        rows = {name: row for row, name in enumerate(dict.fromkeys(names))}
        labels: dict[str, set[str]] = {}
        for name, label in zip(names, predicted, strict=True):
            labels.setdefault(name, set()).add(label)
        left_out = torch.tensor([len(labels[name]) > 1 for name in rows])
        self._instances, self._rows = instances, [rows[name] for name in names]
        self._left_out = None if bool(left_out.all()) else left_out
        self._refresh()

    def _refresh(self) -> None:
        """Compute the trigger vectors with the matcher's present weights; rows left out are infinitely far away."""
        training, self._stale = self.training, False
        super().train(False)
        sums = torch.zeros(max(self._rows) + 1, self.settings.width, device=self.vectors.device)
        with torch.no_grad():
            for start in range(0, len(self._instances), _AT_ONCE):
                part = self._instances[start : start + _AT_ONCE]
                inputs = self.with_triggers([one.sentence for one in part])
                hidden, _ = self.matcher(inputs.words)
                rows = torch.tensor(self._rows[start : start + _AT_ONCE], device=sums.device)
                sums.index_add_(0, rows, self.mean_of_triggers(hidden, inputs).float())
        counts = torch.tensor(self._rows, device=sums.device).bincount()
        self.vectors = sums / counts[:, None]
        if self._left_out is not None:
            self.vectors[self._left_out.to(sums.device)] = torch.inf
        super().train(training)

    def _nearest(self, query: Tensor) -> Tensor:
        """(B, G) sentence vectors -> (B, G), the mean of the nearest triggers' vectors."""
        if self._stale:
            self._refresh()
        usable = self.vectors[self.vectors.isfinite().all(1)]
        return nearest_mean(query, usable.to(query.dtype), self.settings.nearest) if len(usable) else query

    def named_parts(self) -> dict[Part, list[nn.Module]]:
        """The parts of both encoders; the attention is part of `encoder`."""
        encoders = [self.matcher] if self.tagger is None else [self.matcher, self.tagger]
        each = [encoder.named_parts() for encoder in encoders]
        parts: dict[Part, list[nn.Module]] = {
            name: [module for one in each for module in one[name]] for name in each[0]
        }
        return {**parts, "encoder": [self]}

    def parameter_groups(self) -> Mapping[str, ParameterGroup]:
        """Those of both encoders."""
        groups = {f"matcher.{name}": group for name, group in self.matcher.parameter_groups().items()}
        if self.tagger is not None:
            groups |= {f"tagger.{name}": group for name, group in self.tagger.parameter_groups().items()}
        return groups

    def state(self) -> EncoderState:
        """That of the matcher, which holds for both, and the number of trigger vectors."""
        state = self.matcher.state()
        return replace(state, vocabulary={**state.vocabulary, _ROWS: len(self.vectors)})
