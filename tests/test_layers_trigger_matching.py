"""The layers of the Trigger Matching Network against its formulas, computed by hand with numpy and loops."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from onomast.layers.trigger_matching import QueryAttention, StructuredAttention, contrastive_loss, nearest_mean

WIDTH, QUERY, HOPS = 6, 4, 3
LENGTHS = (4, 1, 3)
MASK = torch.arange(4) < torch.tensor(LENGTHS)[:, None]
Array = npt.NDArray[np.float64]


def randomised(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(5)
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -1.0, 1.0, generator=generator)
    return module.double()


def hidden() -> Tensor:
    """(3, 4, WIDTH), with values at padding that would be noticed."""
    values = torch.randn(3, 4, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return values.masked_fill(~MASK[:, :, None], 77.0)


def weight(layer: nn.Module) -> tuple[Array, Array]:
    assert isinstance(layer, nn.Linear)
    bias = np.zeros(layer.out_features) if layer.bias is None else layer.bias.detach().numpy()
    return layer.weight.detach().numpy(), bias


def softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def test_structured_attention_is_the_mean_of_its_hops() -> None:
    module = StructuredAttention(width=WIDTH, output=QUERY, hops=HOPS)
    randomised(module)
    (narrow, bias), (inner, _), (hops, _) = (weight(layer) for layer in (module.narrow, module.inner, module.hops))
    pooled = module(hidden(), MASK).detach().numpy()
    for row, length in enumerate(LENGTHS):
        vectors = [narrow @ vector + bias for vector in hidden()[row, :length].numpy()]
        each = []
        for hop in hops:
            attention = softmax(np.array([hop @ np.tanh(inner @ vector) for vector in vectors]))
            each.append(sum(share * vector for share, vector in zip(attention, vectors, strict=True)))
        np.testing.assert_allclose(pooled[row], np.mean(each, axis=0), rtol=1e-12)


def test_structured_attention_over_a_trigger_sees_its_tokens_alone() -> None:
    module = StructuredAttention(width=WIDTH, output=QUERY, hops=HOPS)
    randomised(module)
    values, trigger = hidden()[:1], torch.tensor([[True, False, True, False]])
    apart = module(values[:, [0, 2]], torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(module(values, trigger), apart)


def test_query_attention_follows_its_formula() -> None:
    module = QueryAttention(width=WIDTH, query=QUERY)
    randomised(module)
    (tokens, token_bias), (query, query_bias), (scores, _) = (
        weight(layer) for layer in (module.tokens, module.query, module.scores)
    )
    queries = torch.randn(3, QUERY, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    joined = module(hidden(), queries, MASK).detach().numpy()
    alphas = module.weights(hidden(), queries, MASK).detach().numpy()
    for row, length in enumerate(LENGTHS):
        asked = query @ queries[row].numpy() + query_bias
        vectors = hidden()[row, :length].numpy()
        alpha = softmax(np.array([scores[0] @ np.tanh(tokens @ vector + token_bias + asked) for vector in vectors]))
        np.testing.assert_allclose(alphas[row, :length], alpha, rtol=1e-12)
        assert not alphas[row, length:].any()
        for place, vector in enumerate(vectors):
            np.testing.assert_allclose(joined[row, place], [*vector, *(alpha[place] * vector)], rtol=1e-12)


@pytest.mark.parametrize("margin", [1.0, 2.5])
def test_contrastive_loss_follows_its_formula(margin: float) -> None:
    first = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0], [1.0, 2.0], [0.3, 0.4], [5.0, 5.0]])
    second = np.array([[0.0, 0.0], [0.0, 0.0], [1.3, 2.4], [1.3, 2.4], [0.0, 0.0], [9.0, 8.0]])
    same = [True, False, True, False, False, False]
    by_hand = []
    for one, other, y in zip(first, second, same, strict=True):
        distance = np.linalg.norm(one - other)  # 0, 0, 0.5, 0.5, 0.5, 5
        by_hand.append(distance**2 / 2 if y else max(0.0, margin - distance) ** 2 / 2)
    loss = contrastive_loss(torch.tensor(first), torch.tensor(second), torch.tensor(same), margin)
    assert float(loss) == pytest.approx(np.mean(by_hand), rel=1e-4)  # 1e-9 stands under the root


def test_contrastive_loss_at_margin_1_in_figures() -> None:
    first = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    second = torch.tensor([[0.6, 0.8], [0.0, 0.5], [3.0, 4.0]], dtype=torch.float64)
    # 1/2 * 1, 1/2 * 0.5^2 and 0, as the last pair is farther apart than the margin
    loss = contrastive_loss(first, second, torch.tensor([True, False, False]))
    assert float(loss) == pytest.approx((0.5 + 0.125 + 0.0) / 3, rel=1e-6)


def test_contrastive_loss_has_a_gradient_where_both_are_equal() -> None:
    first = torch.zeros(2, 3, requires_grad=True)
    contrastive_loss(first, torch.zeros(2, 3), torch.tensor([True, False])).backward()
    assert first.grad is not None
    assert bool(first.grad.isfinite().all())


def test_nearest_vectors_are_averaged() -> None:
    vectors = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [10.0, 10.0]])
    queries = torch.tensor([[0.5, 0.0], [9.0, 9.0]])
    assert nearest_mean(queries, vectors, 1).tolist() == [[0.0, 0.0], [10.0, 10.0]]
    assert nearest_mean(queries, vectors, 2)[0].tolist() == [1.0, 0.0]
    assert nearest_mean(queries, vectors, 9).tolist() == [vectors.mean(0).tolist()] * 2
