"""Ensembles: several trained networks joined into one, whose scores are the mean of theirs."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from onomast.recipe import Neural, Part
from onomast.sentence import Sentence
from onomast.taggers.neural.encoder import Encoder, EncoderState
from onomast.taggers.neural.network import Network
from onomast.training.optimizers import ParameterGroup


class Ensemble(nn.Module):
    """Encoders of one vocabulary, their hidden vectors concatenated. It fulfils `Encoder`, and is not trained.

    `width` is the sum of theirs.
    """

    def __init__(self, encoders: Sequence[Encoder]) -> None:
        super().__init__()
        first = encoders[0]
        for encoder in encoders:
            if hasattr(encoder, "lexicon") and hasattr(first, "lexicon"):
                encoder.lexicon = first.lexicon  # the first looks words up for all of them
        self.members = nn.ModuleList(encoders)  # type: ignore[arg-type]
        self.width = sum(encoder.width for encoder in encoders)
        self.languages = first.languages
        self.one_language = first.one_language

    @classmethod
    def like(cls, first: Encoder, count: int) -> Ensemble:
        """As many encoders of the shape of `first`, for weights that are loaded afterwards."""
        return cls([first, *(copy.deepcopy(first) for _ in range(count - 1))])

    @property
    def first(self) -> Encoder:
        """The encoder that looks up words for all."""
        first: Encoder = self.members[0]  # type: ignore[assignment]
        return first

    def lengths(self, sentences: Sequence[Sentence]) -> list[int]:
        """The length of each sentence in the encoders' units."""
        return self.first.lengths(sentences)

    def prepare(self, sentences: Sequence[Sentence]) -> Any:
        """Look the words up, once for all encoders."""
        return self.first.prepare(sentences)

    def forward(self, inputs: Any) -> tuple[Tensor, Tensor]:
        """`EncoderInputs` -> hidden vectors (B, T, sum of D) and mask (B, T)."""
        outputs = [encoder(inputs) for encoder in self.members]
        return torch.cat([hidden for hidden, _ in outputs], -1), outputs[0][1]

    def named_parts(self) -> dict[Part, list[nn.Module]]:
        """The parts of all encoders."""
        each: list[Mapping[Part, Sequence[nn.Module]]] = [encoder.named_parts() for encoder in self.members]  # type: ignore[operator]
        return {name: [module for parts in each for module in parts[name]] for name in each[0]}

    def parameter_groups(self) -> Mapping[str, ParameterGroup]:
        """None, as an ensemble is not trained."""
        return {}

    def state(self) -> EncoderState:
        """That of the first encoder, which holds for all."""
        return self.first.state()


def merged(networks: Sequence[Network], settings: Neural) -> Network:
    """One network whose heads score as the mean of these do: with k of them and hidden vectors h_i concatenated,

    `W h + b` with `W = [W_1 ... W_k] / k` and b, transitions, starts and ends the mean of theirs. So the best path is
    that of the mean score, and marginals are those of a CRF with mean scores (a product of experts).
    """
    network = Network(Ensemble([network.encoder for network in networks]), networks[0].targets, settings)
    states = [network.heads.state_dict() for network in networks]
    network.heads.load_state_dict(
        {
            name: torch.cat([state[name] for state in states], 1) / len(states)
            if name.endswith("projection.weight")
            else torch.stack([state[name] for state in states]).mean(0)
            for name in states[0]
        }
    )
    return network
