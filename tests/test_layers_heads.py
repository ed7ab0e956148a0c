"""Heads against their formulas: softmax variants, CRF, partial and Bernoulli-CRF, sentence label."""

from __future__ import annotations

import math
from typing import Literal, TypeVar

import pytest
import torch
from torch import Tensor, nn

from onomast.errors import OnomastError
from onomast.layers.heads import CRFHead, SentenceHead, SoftmaxHead
from onomast.tags import TagScheme
from oracles.paths import all_paths, log_partition, marginal

WIDTH = 3
LENGTHS = (4, 1, 3)
SCHEME = TagScheme(("LOC",), "iobes")  # O B I E S


def crf_head(beta: float = 0.0, wrong: Literal["tokens", "sentence"] = "tokens") -> CRFHead:
    legal, starts, ends = (torch.tensor(part) for part in (SCHEME.transitions, SCHEME.starts, SCHEME.ends))
    head = CRFHead(width=WIDTH, legal=legal, starts=starts, ends=ends, beta=beta, wrong=wrong).double()
    return randomised(head)


Module = TypeVar("Module", bound=nn.Module)


def randomised(module: Module) -> Module:
    generator = torch.Generator().manual_seed(5)
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -1.0, 1.0, generator=generator)
    return module


def inputs(seed: int = 0) -> tuple[Tensor, Tensor]:
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    hidden = torch.randn(3, max(LENGTHS), WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return hidden, mask


def gold_tags() -> Tensor:
    rows = [["B-LOC", "I-LOC", "O", "B-LOC"], ["O"], ["O", "B-LOC", "O"]]
    gold = torch.full((3, 4), -1)
    for row, tags in enumerate(rows):
        gold[row, : len(tags)] = torch.tensor(SCHEME.encode(tags))
    return gold


def paths_of(head: CRFHead, hidden: Tensor, mask: Tensor, row: int) -> dict[tuple[int, ...], float]:
    chain = head.chain(hidden, mask)
    emissions = chain.emissions[row][mask[row]].tolist()
    return all_paths(emissions, chain.transitions.tolist(), chain.starts.tolist(), chain.ends.tolist())


def bernoulli_loss(head: CRFHead, hidden: Tensor, gold: Tensor, mask: Tensor) -> float:
    """The documented readings, by enumeration."""
    total = 0.0
    for row, length in enumerate(mask.sum(1).tolist()):
        paths = paths_of(head, hidden, mask, row)
        tags = gold[row, :length].tolist()
        allowed = [[tag in (-1, k) for k in range(5)] for tag in tags]
        sentence = log_partition(paths) - log_partition(paths, allowed)
        total += sentence
        best = max(paths, key=lambda path: paths[path])
        for token, (found, tag) in enumerate(zip(best, tags, strict=True)):
            if tag >= 0 and found != tag:
                again = -math.log(marginal(paths, token, tag)) if head.wrong == "tokens" else sentence
                total += head.beta * again
    return total / len(mask)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("beta", [0.0, 0.7])
@pytest.mark.parametrize("wrong", ["tokens", "sentence"])
@pytest.mark.parametrize("partial", [False, True])
def test_crf_loss_against_enumeration(
    seed: int, beta: float, wrong: Literal["tokens", "sentence"], partial: bool
) -> None:
    head, (hidden, mask), gold = crf_head(beta, wrong), inputs(seed), gold_tags()
    if partial:
        gold[0, 1] = gold[2, 0] = -1
    expected = bernoulli_loss(head, hidden, gold, mask)
    assert head.loss(hidden, gold, mask).item() == pytest.approx(expected)


@pytest.mark.parametrize("wrong", ["tokens", "sentence"])
def test_more_wrong_tokens_make_the_bernoulli_loss_larger(wrong: Literal["tokens", "sentence"]) -> None:
    crf, bernoulli, (hidden, mask), gold = crf_head(), crf_head(1.0, wrong), inputs(), gold_tags()
    best = crf.decode(hidden, mask)[0]
    assert bernoulli.loss(hidden, best, mask).item() == pytest.approx(crf.loss(hidden, best, mask).item())
    extra = bernoulli.loss(hidden, gold, mask) - crf.loss(hidden, gold, mask)
    assert extra > 0
    gold[0], gold[2] = best[0], best[2]
    assert bernoulli.loss(hidden, gold, mask) - crf.loss(hidden, gold, mask) < extra


@pytest.mark.parametrize(("beta", "wrong"), [(0.0, "tokens"), (0.7, "tokens"), (0.7, "sentence")])
def test_crf_gradients(beta: float, wrong: Literal["tokens", "sentence"]) -> None:
    head, (hidden, mask), gold = crf_head(beta, wrong), inputs(), gold_tags()
    names = [f"head.{name}" for name, _ in head.named_parameters()]

    class Loss(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = head

        def forward(self, hidden: Tensor) -> Tensor:
            return self.head.loss(hidden, gold, mask)

    def loss(hidden: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(Loss(), dict(zip(names, values, strict=True)), (hidden,))

    leaves = [value.detach().clone().requires_grad_() for value in head.parameters()]
    assert torch.autograd.gradcheck(loss, [hidden.requires_grad_(), *leaves])


def test_a_set_of_tags_narrows_a_token_down() -> None:
    head, (hidden, mask), gold = crf_head(), inputs(), gold_tags()
    sets = nn.functional.one_hot(gold.clamp_min(0), 5).bool()
    assert head.loss(hidden, sets, mask).item() == pytest.approx(head.loss(hidden, gold, mask).item())
    sets[1, 0] = torch.tensor([True, False, False, False, True])
    paths = paths_of(head, hidden, mask, 1)
    gained = log_partition(paths, sets[1, :1].tolist()) - log_partition(paths, [[True] + 4 * [False]])
    assert head.loss(hidden, sets, mask).item() == pytest.approx(head.loss(hidden, gold, mask).item() - gained / 3)


def test_illegal_gold_is_refused() -> None:
    head, (hidden, mask), gold = crf_head(), inputs(), gold_tags()
    gold[0, :2] = torch.tensor([SCHEME.ids["B-LOC"], SCHEME.ids["O"]])
    with pytest.raises(OnomastError, match="no legal sequence"):
        head.loss(hidden, gold, mask)


def test_crf_decodes_the_best_path_and_its_marginals() -> None:
    head, (hidden, mask) = crf_head(), inputs(3)
    ids, confidence = head.decode(hidden, mask)
    for row, length in enumerate(LENGTHS):
        paths = paths_of(head, hidden, mask, row)
        best = max(paths, key=lambda path: paths[path])
        assert tuple(ids[row, :length].tolist()) == best
        for token, tag in enumerate(best):
            assert confidence[row, token].item() == pytest.approx(marginal(paths, token, tag))
    assert not ids[~mask].any() and not confidence[~mask].any()


@pytest.mark.parametrize("focal", [0.0, 2.0])
@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 0.5, 3.0)])
def test_softmax_loss_is_its_formula(focal: float, weights: tuple[float, ...] | None) -> None:
    table = None if weights is None else torch.tensor(weights)
    head = randomised(SoftmaxHead(width=WIDTH, tags=4, class_weights=table, focal=focal))
    hidden, mask = inputs()
    hidden = hidden.float()
    gold = torch.tensor([[3, -1, 0, 2], [1, 9, 9, 9], [-1, -1, -1, 9]])
    total = 0.0
    for row, token in ((0, 0), (0, 2), (0, 3), (1, 0)):
        tag = int(gold[row, token])
        chance = head.projection(hidden[row, token]).softmax(-1)[tag]
        total += (1 if weights is None else weights[tag]) * (1 - chance) ** focal * -chance.log()
    torch.testing.assert_close(head.loss(hidden, gold, mask), total / 2)  # two sentences have annotation


def test_softmax_decodes_token_by_token() -> None:
    head = randomised(SoftmaxHead(width=WIDTH, tags=4))
    hidden, mask = inputs()
    chances = head.projection(hidden.float()).softmax(-1)
    ids, confidence = head.decode(hidden.float(), mask)
    assert ids[mask].tolist() == chances.argmax(-1)[mask].tolist()
    torch.testing.assert_close(confidence, chances.amax(-1) * mask)


def test_sentence_head_pools_real_tokens_only() -> None:
    head = randomised(SentenceHead(width=WIDTH, labels=4))
    hidden, mask = inputs()
    hidden = hidden.float()
    gold = torch.tensor([2, -1, 0])
    logs = [head.projection(hidden[row, :length].max(0).values).log_softmax(-1) for row, length in enumerate(LENGTHS)]
    hidden[1, 1:] = 1e9
    torch.testing.assert_close(head.loss(hidden, gold, mask), -(logs[0][2] + logs[2][0]) / 2)
    ids, confidence = head.decode(hidden, mask)
    assert ids.tolist() == [int(row.argmax()) for row in logs]
    torch.testing.assert_close(confidence, torch.stack([row.max().exp() for row in logs]))


def heads() -> list[tuple[nn.Module, Tensor]]:
    none = torch.full((3, 4), -1)
    return [
        (randomised(SoftmaxHead(width=WIDTH, tags=5)).double(), none),
        (crf_head(), none),
        (crf_head(0.5), none),
        (randomised(SentenceHead(width=WIDTH, labels=4)).double(), none[:, 0]),
    ]


@pytest.mark.parametrize("index", range(4))
def test_nothing_annotated_costs_nothing_and_has_a_graph(index: int) -> None:
    head, none = heads()[index]
    hidden, mask = inputs()
    loss = head.loss(hidden.requires_grad_(), none, mask)
    assert loss.shape == () and loss.item() == 0.0
    loss.backward()
    assert hidden.grad is not None and not hidden.grad.any()


@pytest.mark.parametrize("index", range(4))
def test_a_batch_equals_batch_size_one(index: int) -> None:
    head, none = heads()[index]
    hidden, mask = inputs(1)
    gold = gold_tags() if none.dim() == 2 else torch.tensor([3, 0, 1])
    ids, confidence = head.decode(hidden, mask)
    losses = []
    for row, length in enumerate(LENGTHS):
        alone = (hidden[row : row + 1, :length], mask[row : row + 1, :length])
        short = gold[row : row + 1, :length] if gold.dim() == 2 else gold[row : row + 1]
        losses.append(head.loss(alone[0], short, alone[1]))
        found, sure = head.decode(*alone)
        assert found[0].tolist() == (ids[row, :length].tolist() if gold.dim() == 2 else ids[row].tolist())
        torch.testing.assert_close(sure[0], confidence[row, :length] if gold.dim() == 2 else confidence[row])
    torch.testing.assert_close(torch.stack(losses).mean(), head.loss(hidden, gold, mask))


def test_losses_in_half_precision_are_computed_in_more() -> None:
    hidden, mask = inputs()
    for head in (crf_head(0.5).float(), randomised(SoftmaxHead(width=WIDTH, tags=5)).float()):
        exact = head.loss(hidden.float(), gold_tags(), mask)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = head.loss(hidden.bfloat16(), gold_tags(), mask)
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, exact, rtol=0.03, atol=0.03)


def test_state_holds_only_learnt_tensors() -> None:
    assert sorted(crf_head().state_dict()) == ["ends", "projection.bias", "projection.weight", "starts", "transitions"]
    weighted = SoftmaxHead(width=WIDTH, tags=2, class_weights=torch.ones(2))
    assert sorted(weighted.state_dict()) == ["projection.bias", "projection.weight"]
