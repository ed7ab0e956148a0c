"""Attention against equations 4 to 7 of the joint labelling paper, written plainly with loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from onomast.layers.attention import SelfAttention, SoftAttention
from onomast.layers.dropout import LockedDropout

WIDTH = 6
LENGTHS = (4, 1, 3)
MASK = torch.arange(4) < torch.tensor(LENGTHS)[:, None]


def randomised(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(5)
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -1.0, 1.0, generator=generator)
    return module.double()


def sentence(row: int) -> Tensor:
    generator = torch.Generator().manual_seed(row)
    return torch.randn(LENGTHS[row], WIDTH, dtype=torch.float64, generator=generator)


def batch() -> Tensor:
    hidden = torch.full((3, 4, WIDTH), 77.0, dtype=torch.float64)
    for row, length in enumerate(LENGTHS):
        hidden[row, :length] = sentence(row)
    return hidden


def plain_soft(module: SoftAttention, hidden: Tensor) -> Tensor:
    raw = []
    for vector in hidden:
        inner = torch.tanh(module.inner.weight @ vector + module.inner.bias)
        raw.append(torch.sigmoid(module.outer.weight[0] @ inner + module.outer.bias[0]))
    return torch.stack([vector * (weight / sum(raw)) for vector, weight in zip(hidden, raw, strict=True)])


def plain_self(module: SelfAttention, hidden: Tensor, scale: str, heads: int) -> Tensor:
    narrow = WIDTH // heads
    root = math.sqrt(WIDTH / heads)
    tables = module.queries_keys_values.weight.chunk(3)
    outputs = []
    for head in range(heads):
        rows = slice(head * narrow, (head + 1) * narrow)
        queries, keys, values = ([table[rows] @ vector for vector in hidden] for table in tables)
        mixed = []
        for place, query in enumerate(queries):
            if scale == "learned":
                assert module.temperature is not None
                learned = module.temperature.weight[0] @ hidden[place] + module.temperature.bias[0]
                alpha = min(max(float(learned), 0.0), root) + 1
            else:
                alpha = root if scale == "scaled" else 1.0
            exps = [math.exp(float(query @ key) / alpha) for key in keys]
            mixed.append(sum(weight / sum(exps) * value for weight, value in zip(exps, values, strict=True)))
        outputs.append(torch.stack(mixed))
    return torch.cat(outputs, 1) @ module.output.weight.T


@pytest.mark.parametrize("residual", [True, False])
def test_soft_attention_is_equation_4(residual: bool) -> None:
    module = randomised(SoftAttention(width=WIDTH, residual=residual))
    found = module(batch(), MASK)
    for row, length in enumerate(LENGTHS):
        hidden = sentence(row)
        expected = plain_soft(module, hidden) + (hidden if residual else 0)
        torch.testing.assert_close(found[row, :length], expected)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("scale", ["scaled", "unscaled", "learned"])
def test_self_attention_is_equations_5_to_7(scale: str, heads: int, residual: bool) -> None:
    module = randomised(SelfAttention(width=WIDTH, heads=heads, scale=scale, residual=residual))
    found = module(batch(), MASK)
    for row, length in enumerate(LENGTHS):
        hidden = sentence(row)
        with torch.no_grad():
            expected = plain_self(module, hidden, scale, heads) + (hidden if residual else 0)
        torch.testing.assert_close(found[row, :length], expected)


def test_learned_scales_stay_between_their_bounds() -> None:
    module = randomised(SelfAttention(width=WIDTH, heads=3))
    scales = module._alpha(100 * batch())
    assert scales.min().item() == pytest.approx(1.0)
    assert scales.max().item() == pytest.approx(1.0 + math.sqrt(2))


@pytest.mark.parametrize("kind", ["soft", "self"])
def test_padding_never_leaks_and_gradients_flow(kind: str) -> None:
    module = randomised(SoftAttention(width=WIDTH) if kind == "soft" else SelfAttention(width=WIDTH, heads=2))
    if isinstance(module, SelfAttention) and module.temperature is not None:  # between its bounds
        nn.init.constant_(module.temperature.weight, 0.01)
        nn.init.constant_(module.temperature.bias, 0.5)
    hidden = batch().requires_grad_()
    found = module(hidden, MASK)
    for row, length in enumerate(LENGTHS):
        alone = module(sentence(row)[None], torch.ones(1, length, dtype=torch.bool))
        torch.testing.assert_close(found[row, :length], alone[0])
    found[MASK].square().sum().backward()
    assert hidden.grad is not None and not hidden.grad[~MASK].any() and hidden.grad[MASK].all()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in module.parameters())


@pytest.mark.parametrize("kind", ["soft", "self"])
def test_dropout_touches_the_attention_output_and_not_the_residual(kind: str) -> None:
    dropout = LockedDropout(probability=0.5)
    module = randomised(
        SoftAttention(width=WIDTH, dropout=dropout)
        if kind == "soft"
        else SelfAttention(width=WIDTH, heads=2, dropout=dropout)
    )
    attended = module.eval()(batch(), MASK) - batch()
    change = (module.train()(batch(), MASK) - batch())[MASK] / attended[MASK]
    assert all(value == pytest.approx(0, abs=1e-9) or value == pytest.approx(2) for value in change.flatten().tolist())


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="do not divide"):
        SelfAttention(width=6, heads=4)
