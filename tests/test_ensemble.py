"""an ensemble of networks: one network that scores as the mean of its members do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from made_up import bare, fitted, labelled, network_of, neural_recipe
from onomast.corpus import Corpus
from onomast.errors import RecipeError
from onomast.recipe import Recipe
from onomast.sentence import Sentence
from onomast.taggers.neural.ensemble import merged
from onomast.taggers.neural.network import Network
from onomast.taggers.neural.tagger import NeuralTagger
from onomast.taggers.registry import load_tagger


def ensemble(**changes: str) -> Recipe:
    return neural_recipe(neural__ensemble_size="3", neural__heads__pos="1.0", neural__heads__sentence="1.0", **changes)


@pytest.fixture(scope="module")
def networks() -> list[Network]:
    """Three networks of one training file, in double precision, as they are while tagging."""
    found = []
    for seed in ("0", "1000", "2000"):
        one = neural_recipe(neural__heads__pos="1.0", neural__heads__sentence="1.0", seed=seed)
        network = network_of(fitted(one, Corpus("x", labelled(30))))
        found.append(network.double().eval())
    return found


def test_scores_are_the_mean_of_the_members_scores(networks: list[Network]) -> None:
    whole = merged(networks, ensemble().neural).double().eval()
    sentences = [*bare(labelled(7, seed=3)), Sentence(("Zainabu", "alisafiri", "Zanzibar"))]  # two words nobody knows
    with torch.inference_mode():
        hidden, mask = whole.encoder(whole.encoder.prepare(sentences))
        parts = [network.encoder(network.encoder.prepare(sentences)) for network in networks]
        chains = [
            network.head("entities").chain(read, real)  # type: ignore[attr-defined]
            for network, (read, real) in zip(networks, parts, strict=True)
        ]
        chain = whole.head("entities").chain(hidden, mask)  # type: ignore[attr-defined]
        for name in ("emissions", "transitions", "starts", "ends"):
            mean = torch.stack([getattr(one, name) for one in chains]).mean(0)
            torch.testing.assert_close(getattr(chain, name), mean)
        for name in ("pos", "sentence"):
            logits = [_logits(network, name, read) for network, (read, _) in zip(networks, parts, strict=True)]
            torch.testing.assert_close(_logits(whole, name, hidden), torch.stack(logits).mean(0))


def _logits(network: Network, name: str, hidden: torch.Tensor) -> torch.Tensor:
    projection: torch.nn.Linear = network.heads[name].projection  # type: ignore[union-attr,assignment]
    return projection(hidden)


def test_the_members_are_the_networks_of_seeds_1000_apart(networks: list[Network]) -> None:
    whole = network_of(fitted(ensemble(), Corpus("x", labelled(30)))).double().state_dict()
    for number, network in enumerate(networks):
        for name, value in network.encoder.state_dict().items():
            torch.testing.assert_close(whole[f"encoder.members.{number}.{name}"], value)


def test_a_ensemble_is_saved_loaded_and_resumed_like_one_network(tmp_path: Path) -> None:
    corpus, test = Corpus("x", labelled(30)), bare(labelled(9, seed=2))
    tagger = NeuralTagger(ensemble())
    history = tagger.fit(corpus, checkpoints=tmp_path / "checkpoints")
    assert [row["member"] for row in history.epochs] == [f"member-{number}" for number in (1, 2, 3) for _ in range(3)]
    tagger.save(tmp_path / "one")
    for before, after in zip(tagger.tag(test), load_tagger(tmp_path / "one").tag(test), strict=True):
        assert (after.tags, after.pos, after.label) == (before.tags, before.pos, before.label)
        assert after.confidence == pytest.approx(before.confidence, abs=1e-6)
    again = NeuralTagger(ensemble())
    again.fit(corpus, checkpoints=tmp_path / "checkpoints")
    again.save(tmp_path / "two")
    assert (tmp_path / "one/weights.safetensors").read_bytes() == (tmp_path / "two/weights.safetensors").read_bytes()


def test_no_network_at_all_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"neural\.ensemble_size"):
        fitted(neural_recipe(neural__ensemble_size="0"), Corpus("x", labelled(5)))
