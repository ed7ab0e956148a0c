"""Several networks that tag together: the mean of their scores, as one network."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from onomast.recipe import Neural, Part
from onomast.sentence import Sentence
from onomast.taggers.neural.lstm_encoder import LSTMEncoder
from onomast.taggers.neural.network import Encoder, Network
from onomast.training.optimizers import ParameterGroup


class Ensemble(nn.Module):
    """Encoders of one vocabulary, their hidden vectors side by side. It fulfils `network.Encoder`, and only tags.

    `width` is the sum of theirs.
    """

    def __init__(self, encoders: Sequence[Encoder]) -> None:
        super().__init__()
        first = encoders[0]
        for encoder in encoders:
            if isinstance(encoder, LSTMEncoder) and isinstance(first, LSTMEncoder):
                encoder.lexicon = first.lexicon  # the first looks words up for all of them
        self.members = nn.ModuleList(encoders)  # type: ignore[arg-type]
        self.width = sum(encoder.width for encoder in encoders)
        self.languages = first.languages

    @classmethod
    def like(cls, first: Encoder, count: int) -> Ensemble:
        """So many encoders of the shape of `first`, for weights that are loaded afterwards."""
        return cls([first, *(copy.deepcopy(first) for _ in range(count - 1))])

    @property
    def first(self) -> Encoder:
        """The one that knows what none of them learns."""
        first: Encoder = self.members[0]  # type: ignore[assignment]
        return first

    def start(self, sentences: Sequence[Sentence]) -> None:
        """Get to know these sentences."""
        self.first.start(sentences)

    def groups(self, sentences: Sequence[Sentence]) -> list[list[int]]:
        """Indices of sentences that may be read together."""
        return self.first.groups(sentences)

    def lengths(self, sentences: Sequence[Sentence]) -> list[int]:
        """How long each sentence is to these encoders."""
        return self.first.lengths(sentences)

    def prepare(self, sentences: Sequence[Sentence]) -> Any:
        """Look the words up, once for all."""
        return self.first.prepare(sentences)

    def forward(self, inputs: Any) -> tuple[Tensor, Tensor]:
        """What `prepare` gave -> hidden vectors (B, T, sum of D) and mask (B, T)."""
        read = [encoder(inputs) for encoder in self.members]
        return torch.cat([hidden for hidden, _ in read], -1), read[0][1]

    def parts_of(self, name: Part) -> list[nn.Module]:
        """The modules of all encoders that a recipe's name of a part means."""
        return [part for encoder in self.members for part in encoder.parts_of(name)]  # type: ignore[operator]

    def parameter_groups(self) -> Mapping[str, ParameterGroup]:
        """None: an ensemble is not trained."""
        return {}

    def fresh(self) -> Ensemble:
        """Encoders with their first weights."""
        return Ensemble([encoder.fresh() for encoder in self.members])  # type: ignore[operator]

    def known(self) -> dict[str, Any]:
        """What they know by name, for vocabulary.json."""
        return self.first.known()

    def fixed(self) -> dict[str, Tensor]:
        """Tensors to save that are no weights."""
        return self.first.fixed()

    def save(self, folder: Path) -> list[str]:
        """Write what else they need into a model folder; returns the names of the files."""
        return self.first.save(folder)


def merged(networks: Sequence[Network], settings: Neural) -> Network:
    """One network whose heads score as the mean of these do: with k of them and hidden vectors h_i side by side,

    `W h + b` with `W = [W_1 ... W_k] / k` and b, transitions, starts and ends the mean of theirs. So the best path is
    that of the mean score, and marginals are those of a CRF with mean scores (a product of experts).
    """
    made = Network(Ensemble([network.encoder for network in networks]), networks[0].targets, settings)
    states = [network.heads.state_dict() for network in networks]
    made.heads.load_state_dict(
        {
            name: torch.cat([state[name] for state in states], 1) / len(states)
            if name.endswith("projection.weight")
            else torch.stack([state[name] for state in states]).mean(0)
            for name in states[0]
        }
    )
    return made
