"""The linear chain against enumeration of all paths, its gradients against finite differences and autograd."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from onomast.layers.crf import LinearChain, allowed_tags
from onomast.layers.forward_backward import log_sweep, scaled_sweep
from onomast.tags import TagScheme
from oracles.paths import all_paths, fits, log_partition, marginal

LENGTHS = (5, 1, 3, 2)


def random_chain(
    seed: int = 0, tags: int = 4, lengths: tuple[int, ...] = LENGTHS, scale: float = 1.0, illegal: float = 0.25
) -> LinearChain:
    """A batch of random scores in which some transitions, starts and ends are forbidden; tag 0 is always legal."""
    generator = torch.Generator().manual_seed(seed)

    def scores(*shape: int) -> Tensor:
        return scale * torch.randn(*shape, generator=generator, dtype=torch.float64)

    def forbid(values: Tensor) -> Tensor:
        wrong = torch.rand(values.shape, generator=generator) < illegal
        wrong[0] = False
        if values.dim() == 2:
            wrong[:, 0] = False
        return values.masked_fill(wrong, -torch.inf)

    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    emissions = scores(len(lengths), max(lengths), tags)
    return LinearChain(emissions, mask, forbid(scores(tags, tags)), forbid(scores(tags)), forbid(scores(tags)))


def paths_of(chain: LinearChain, row: int) -> dict[tuple[int, ...], float]:
    length = int(chain.mask[row].sum())
    parts = (chain.transitions, chain.starts, chain.ends)
    return all_paths(chain.emissions[row, :length].tolist(), *(part.tolist() for part in parts))


def legal_tags(chain: LinearChain, seed: int) -> Tensor:
    """A random legal path for each sentence."""
    generator = torch.Generator().manual_seed(seed)
    tags = torch.full(chain.mask.shape, 99)
    for row in range(len(tags)):
        paths = list(paths_of(chain, row))
        path = paths[int(torch.randint(len(paths), (), generator=generator))]
        tags[row, : len(path)] = torch.tensor(path)
    return tags


def close(found: Tensor, expected: object, tolerance: float = 1e-9) -> None:
    torch.testing.assert_close(found, torch.as_tensor(expected, dtype=found.dtype), atol=tolerance, rtol=tolerance)


SEEDS = range(6)


@pytest.mark.parametrize("seed", SEEDS)
def test_log_partition_sums_all_legal_paths(seed: int) -> None:
    chain = random_chain(seed)
    close(chain.log_partition(), [log_partition(paths_of(chain, row)) for row in range(len(LENGTHS))])


@pytest.mark.parametrize("seed", SEEDS)
def test_nll_is_the_gold_paths_share(seed: int) -> None:
    chain = random_chain(seed)
    tags = legal_tags(chain, seed)
    expected = []
    for row, length in enumerate(LENGTHS):
        paths = paths_of(chain, row)
        expected.append(log_partition(paths) - paths[tuple(tags[row, :length].tolist())])
    close(chain.nll(tags), expected)


def test_an_illegal_path_has_no_probability() -> None:
    chain = random_chain(illegal=0.0)
    transitions = chain.transitions.clone()
    transitions[1, 2] = -torch.inf
    chain = LinearChain(chain.emissions, chain.mask, transitions, chain.starts, chain.ends)
    tags = torch.zeros(4, 5, dtype=torch.long)
    tags[0, 2], tags[0, 3] = 1, 2
    assert chain.nll(tags)[0] == torch.inf
    assert bool(chain.nll(tags)[1:].isfinite().all())


@pytest.mark.parametrize("seed", SEEDS)
def test_marginals_by_both_sweeps(seed: int) -> None:
    chain = random_chain(seed)
    expected = torch.zeros(chain.emissions.shape, dtype=torch.float64)
    for row, length in enumerate(LENGTHS):
        paths = paths_of(chain, row)
        for token in range(length):
            for tag in range(4):
                expected[row, token, tag] = marginal(paths, token, tag)
    scores = (chain.emissions, chain.mask, chain.transitions, chain.starts, chain.ends)
    scaled = scaled_sweep(*scores)
    assert scaled is not None
    close(chain.marginals(), expected)
    close(scaled.unary, expected)
    close(log_sweep(*scores).unary, expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_best_path_is_the_best_of_all_paths(seed: int) -> None:
    chain = random_chain(seed)
    best = chain.best_path()
    for row, length in enumerate(LENGTHS):
        paths = paths_of(chain, row)
        assert tuple(best[row, :length].tolist()) == max(paths, key=lambda path: paths[path])
        assert not best[row, length:].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_partial_annotation_sums_over_what_is_allowed(seed: int) -> None:
    chain = random_chain(seed)
    generator = torch.Generator().manual_seed(seed)
    allowed = torch.rand(chain.emissions.shape, generator=generator) < 0.4
    allowed |= allowed_tags(legal_tags(chain, seed) % 4, 4)
    expected = []
    for row, length in enumerate(LENGTHS):
        paths = paths_of(chain, row)
        expected.append(log_partition(paths) - log_partition(paths, allowed[row, :length].tolist()))
    close(chain.partial_nll(allowed), expected)


def test_full_annotation_equals_the_crf_and_none_costs_nothing() -> None:
    chain = random_chain(3)
    tags = legal_tags(chain, 3) % 4 * chain.mask
    close(chain.partial_nll(allowed_tags(tags, 4)), chain.nll(tags))
    close(chain.partial_nll(allowed_tags(torch.full_like(tags, -1), 4)), torch.zeros(4))


def test_annotation_without_a_legal_path_is_infinite() -> None:
    chain = random_chain(1)
    allowed = torch.ones(chain.emissions.shape, dtype=torch.bool)
    allowed[2, 1] = False
    loss = chain.partial_nll(allowed)
    assert loss[2] == torch.inf
    close(loss[[0, 1, 3]], torch.zeros(3))


@pytest.mark.parametrize("seed", SEEDS)
def test_log_marginals_of_a_set_of_tags(seed: int) -> None:
    chain = random_chain(seed)
    allowed = torch.zeros(chain.emissions.shape, dtype=torch.bool)
    allowed[:, :, 0] = allowed[:, :, 2] = True
    expected = torch.zeros(chain.mask.shape, dtype=torch.float64)
    for row, length in enumerate(LENGTHS):
        paths = paths_of(chain, row)
        for token in range(length):
            expected[row, token] = math.log(marginal(paths, token, 0) + marginal(paths, token, 2))
    close(chain.log_marginals(allowed), expected)


def parameters(chain: LinearChain) -> tuple[list[Tensor], list[Tensor]]:
    """Finite leaves that require a gradient, and which of their entries are legal."""
    parts = [chain.emissions, chain.transitions, chain.starts, chain.ends]
    legal = [part.isfinite() for part in parts]
    return [part.nan_to_num(neginf=0.0).requires_grad_() for part in parts], legal


def rebuilt(mask: Tensor, leaves: tuple[Tensor, ...], legal: list[Tensor]) -> LinearChain:
    emissions, *rest = (part.masked_fill(~keep, -torch.inf) for part, keep in zip(leaves, legal, strict=True))
    return LinearChain(emissions, mask, *rest)


@pytest.mark.parametrize("scale", [1.0, 60.0], ids=["scaled", "logarithms"])
@pytest.mark.parametrize("seed", range(3))
def test_gradients_match_finite_differences(seed: int, scale: float) -> None:
    chain = random_chain(seed, tags=3, lengths=(4, 1, 3))
    # Far-off starts force the sweep in logarithms while the gradients stay of ordinary size.
    if scale > 1:
        chain = LinearChain(
            chain.emissions, chain.mask, chain.transitions, torch.tensor([0.0, 0.5, -300.0]).double(), chain.ends
        )
        parts = (chain.emissions, chain.mask, chain.transitions, chain.starts, chain.ends)
        assert scaled_sweep(*parts) is None
    leaves, legal = parameters(chain)
    tags = legal_tags(chain, seed) % 3
    tags[0, 1] = tags[2, 0] = -1
    allowed = allowed_tags(tags, 3)

    def check(score: object) -> None:
        assert torch.autograd.gradcheck(lambda *parts: score(rebuilt(chain.mask, parts, legal)), leaves)  # type: ignore[operator]

    check(lambda made: made.log_partition())
    check(lambda made: made.partial_nll(allowed))
    check(lambda made: made.log_marginals(allowed))


@pytest.mark.parametrize("seed", SEEDS)
def test_gradients_equal_those_of_autograd_through_the_loop(seed: int) -> None:
    chain = random_chain(seed, tags=5, lengths=(9, 4, 7), illegal=0.0)
    leaves, legal = parameters(chain)
    weights = torch.randn(3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    found = torch.autograd.grad((rebuilt(chain.mask, tuple(leaves), legal).log_partition() * weights).sum(), leaves)
    emissions, transitions, starts, ends = leaves
    totals = []
    for row, length in enumerate((9, 4, 7)):
        state = starts + emissions[row, 0]
        for token in range(1, length):
            state = torch.logsumexp(state[:, None] + transitions, 0) + emissions[row, token]
        totals.append(torch.logsumexp(state + ends, 0))
    expected = torch.autograd.grad((torch.stack(totals) * weights).sum(), leaves)
    for left, right in zip(found, expected, strict=True):
        close(left, right)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([1e-3, 1.0, 30.0, 1e3, 1e4]),
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4),
)
def test_scores_of_any_size_stay_exact_in_float32(seed: int, scale: float, lengths: list[int]) -> None:
    exact = random_chain(seed, tags=3, lengths=tuple(lengths), scale=scale)
    single = [part.float().requires_grad_() for part in (exact.emissions, exact.transitions, exact.starts, exact.ends)]
    chain = LinearChain(single[0], exact.mask, *single[1:])
    total = chain.log_partition()
    expected = [log_partition(paths_of(chain, row)) for row in range(len(lengths))]
    torch.testing.assert_close(total, torch.tensor(expected, dtype=torch.float64), atol=1e-9, rtol=1e-9)
    tags = chain.best_path()
    for row, length in enumerate(lengths):
        paths = paths_of(chain, row)
        assert paths[tuple(tags[row, :length].tolist())] == pytest.approx(max(paths.values()))
    allowed = allowed_tags(tags, 3)
    (chain.nll(tags).sum() - chain.log_marginals(allowed).sum()).backward()
    assert all(bool(part.grad.isfinite().all()) for part in single if part.grad is not None)
    close(chain.marginals().sum(-1), chain.mask.double())


def test_a_batch_equals_batch_size_one_and_padding_is_not_read() -> None:
    chain = random_chain(7)
    emissions = chain.emissions.masked_fill(~chain.mask[:, :, None], torch.nan)
    batch = LinearChain(emissions, chain.mask, chain.transitions, chain.starts, chain.ends)
    for row, length in enumerate(LENGTHS):
        alone = LinearChain(
            chain.emissions[row : row + 1, :length],
            torch.ones(1, length, dtype=torch.bool),
            chain.transitions,
            chain.starts,
            chain.ends,
        )
        close(batch.log_partition()[row : row + 1], alone.log_partition())
        close(batch.marginals()[row : row + 1, :length], alone.marginals())
        assert batch.best_path()[row, :length].tolist() == alone.best_path()[0].tolist()


def test_iobes_paths_are_always_legal() -> None:
    scheme = TagScheme(("LOC", "PER"))
    legal, starts, ends = (torch.tensor(part) for part in (scheme.transitions, scheme.starts, scheme.ends))
    count = len(scheme.tags)
    zero = torch.zeros(count)
    chain = LinearChain(
        50 * torch.randn(32, 12, count, generator=torch.Generator().manual_seed(0)),
        torch.arange(12) < torch.randint(1, 13, (32, 1), generator=torch.Generator().manual_seed(1)),
        torch.zeros(count, count).masked_fill(~legal, -torch.inf),
        zero.masked_fill(~starts, -torch.inf),
        zero.masked_fill(~ends, -torch.inf),
    )
    for path, real in zip(chain.best_path(), chain.mask, strict=True):
        tags = path[real]
        assert starts[tags[0]] and ends[tags[-1]] and legal[tags[:-1], tags[1:]].all()


def test_the_oracle_knows_what_is_allowed() -> None:
    assert fits((0, 1), [[True, False], [False, True]]) and not fits((1, 1), [[True, False], [False, True]])
