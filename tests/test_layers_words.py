"""Embeddings, character encoders, BiLSTM and dropout: padding, order, batches against batch size 1."""

from __future__ import annotations

from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

from onomast.layers.characters import CharacterCNN, CharacterLSTM
from onomast.layers.dropout import LockedDropout
from onomast.layers.embeddings import HashedEmbedding, random_vectors
from onomast.layers.last_states import LastStates
from onomast.layers.lstm import INITIALISERS, BiLSTM

Module = TypeVar("Module", bound=nn.Module)
LENGTHS = (5, 1, 3)
MASK = torch.arange(5) < torch.tensor(LENGTHS)[:, None]


def randomised(module: Module) -> Module:
    generator = torch.Generator().manual_seed(5)
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -1.0, 1.0, generator=generator)
    return module.double()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def spelling() -> tuple[Tensor, Tensor]:
    """Ids and lengths of six words over five characters, not sorted by length."""
    lengths = torch.tensor([3, 7, 1, 2, 7, 4])
    ids = torch.randint(1, 6, (6, 7), generator=torch.Generator().manual_seed(0))
    return ids.masked_fill(torch.arange(7) >= lengths[:, None], 0), lengths


# --- BiLSTM ---


@pytest.mark.parametrize("layers", [1, 2])
def test_bilstm_batch_equals_batch_size_one(layers: int) -> None:
    lstm = randomised(BiLSTM(width=4, hidden=3, layers=layers))
    inputs = noise(3, 5, 4)
    found = lstm(inputs, MASK)
    assert found.shape == (3, 5, 6) and lstm.width == 6
    assert not found[~MASK].any()
    for row, length in enumerate(LENGTHS):
        alone = lstm(inputs[row : row + 1, :length], MASK[row : row + 1, :length])
        torch.testing.assert_close(found[row, :length], alone[0])


def test_bilstm_equals_torch_on_packed_sequences() -> None:
    lstm = randomised(BiLSTM(width=4, hidden=3))
    reference = nn.LSTM(4, 3, batch_first=True, bidirectional=True).double()
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        getattr(reference, name).data.copy_(getattr(lstm.rightward[0], name))
        getattr(reference, name + "_reverse").data.copy_(getattr(lstm.leftward[0], name))
    inputs = noise(3, 5, 4)
    packed = nn.utils.rnn.pack_padded_sequence(inputs, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(reference(packed)[0], batch_first=True)
    torch.testing.assert_close(lstm(inputs, MASK), expected)


@pytest.mark.parametrize("layers", [1, 2])
def test_bilstm_reads_distinct_words_as_it_reads_their_tokens(layers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onomast.layers.lstm._MANY", 1)
    lstm = randomised(BiLSTM(width=4, hidden=3, layers=layers))
    words, places = noise(6, 4), torch.randint(0, 6, (3, 5), generator=torch.Generator().manual_seed(0))
    expected = lstm(words[places], MASK)
    assert lstm.read(words, places, MASK).requires_grad
    with torch.no_grad():
        found = lstm.read(words, places, MASK)
    torch.testing.assert_close(found, expected.detach())
    assert not found[~MASK].any()


def test_bilstm_gradients_do_not_reach_padding() -> None:
    lstm = randomised(BiLSTM(width=4, hidden=3, layers=2))
    inputs = noise(3, 5, 4).requires_grad_()
    lstm(inputs, MASK).square().sum().backward()
    assert inputs.grad is not None
    assert not inputs.grad[~MASK].any() and inputs.grad[MASK].all()


def test_bilstm_uses_its_dropout_between_layers_only() -> None:
    dropout = LockedDropout(probability=0.9)
    one, two = (randomised(BiLSTM(width=4, hidden=3, layers=layers, dropout=dropout)) for layers in (1, 2))
    inputs = noise(3, 5, 4)
    torch.testing.assert_close(one(inputs, MASK), one(inputs, MASK))
    assert not torch.equal(two(inputs, MASK), two(inputs, MASK))


def test_initial_values() -> None:
    def drawn(name: str) -> dict[str, Tensor]:
        module = nn.ModuleList([BiLSTM(width=4, hidden=3), nn.Embedding(2, 3, _weight=torch.full((2, 3), 9.0))])
        module[1].requires_grad_(False)
        INITIALISERS[name](module)
        return dict(module.named_parameters())

    uniform = drawn("uniform")
    assert all(
        bool((value.abs() <= 0.1).all() and value.any()) for name, value in uniform.items() if name != "1.weight"
    )
    assert uniform["1.weight"].eq(9.0).all()
    orthogonal = drawn("orthogonal")
    for gate in orthogonal["0.rightward.0.weight_hh_l0"].chunk(4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(3))
    assert orthogonal["0.leftward.0.bias_ih_l0"].tolist() == [0.0] * 3 + [1.0] * 3 + [0.0] * 6
    assert not orthogonal["0.leftward.0.bias_hh_l0"].any()
    assert set(INITIALISERS) == {"default", "uniform", "orthogonal"}


# --- Characters ---


def last_states(lstm: nn.LSTM, vectors: Tensor) -> Tensor:
    """The equations of an LSTM, one word, the last hidden state."""
    hidden = cell = vectors.new_zeros(lstm.hidden_size)
    for vector in vectors:
        gates = lstm.weight_ih_l0 @ vector + lstm.bias_ih_l0 + lstm.weight_hh_l0 @ hidden + lstm.bias_hh_l0
        enter, forget, new, leave = gates.chunk(4)
        cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
        hidden = leave.sigmoid() * cell.tanh()
    return hidden


def test_character_lstm_is_the_last_state_of_both_directions() -> None:
    encoder = randomised(CharacterLSTM(characters=6, vector_width=4, hidden=3))
    ids, lengths = spelling()
    found = encoder.encode(ids, lengths)
    assert found.shape == (6, 6) and encoder.width == 6
    for row, length in enumerate(lengths.tolist()):
        vectors = encoder.table(ids[row, :length])
        expected = [last_states(encoder.rightward, vectors), last_states(encoder.leftward, vectors.flip(0))]
        torch.testing.assert_close(found[row], torch.cat(expected))


def test_character_cnn_is_the_maximum_over_windows() -> None:
    encoder = randomised(CharacterCNN(characters=6, vector_width=4, filters=2, sizes=(2, 3)))
    encoder.table.weight.data[0] = 0.0
    ids, lengths = spelling()
    found = encoder.encode(ids, lengths)
    assert found.shape == (6, 4) and encoder.width == 4
    for row, length in enumerate(lengths.tolist()):
        vectors = encoder.table(ids[row, :length])
        expected = []
        for convolution in encoder.filters:
            size = convolution.kernel_size[0]
            edge = vectors.new_zeros(size - 1, 4)
            padded = torch.cat([edge, vectors, edge])
            windows = [padded[start : start + size] for start in range(length + size - 1)]
            scores = [torch.einsum("fec,ce->f", convolution.weight, window) + convolution.bias for window in windows]
            expected.append(torch.stack(scores).amax(0))
        torch.testing.assert_close(found[row], torch.cat(expected))


@pytest.mark.parametrize(
    "encoder",
    [
        CharacterLSTM(characters=6, vector_width=4, hidden=3),
        CharacterCNN(characters=6, vector_width=4, filters=2, sizes=(2, 3)),
    ],
    ids=["lstm", "cnn"],
)
def test_character_encoders_hand_words_to_tokens_and_ignore_padding(encoder: CharacterLSTM | CharacterCNN) -> None:
    encoder = randomised(encoder)
    encoder.table.weight.data[0] = 0.0
    ids, lengths = spelling()
    words = torch.tensor([[0, 5, 5], [2, 1, 0]])
    found = encoder(ids, lengths, words)
    for place, row in ((place, int(words[place])) for place in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1))):
        length = int(lengths[row])
        alone = encoder.encode(ids[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(found[place], alone[0])


@pytest.mark.parametrize("encoder", [CharacterLSTM(characters=6), CharacterCNN(characters=6)], ids=["lstm", "cnn"])
def test_character_encoders_train(encoder: CharacterLSTM | CharacterCNN) -> None:
    ids, lengths = spelling()
    encoder(ids, lengths, torch.arange(6)[None]).square().sum().backward()
    for parameter in encoder.parameters():
        assert parameter.grad is not None and parameter.grad.any()
    assert not encoder.table.weight.grad[0].any()


def test_character_lstm_drops_character_vectors_in_training_only() -> None:
    plain = randomised(CharacterLSTM(characters=6, vector_width=4, hidden=3))
    kept, dropped = (
        randomised(CharacterLSTM(characters=6, vector_width=4, hidden=3, dropout=nn.Dropout(probability)))
        for probability in (0.0, 0.5)
    )
    expected = plain.encode(*spelling())
    torch.testing.assert_close(kept.encode(*spelling()), expected)
    assert not torch.isclose(dropped.encode(*spelling()), expected).all(1).any()
    torch.testing.assert_close(dropped.eval().encode(*spelling()), expected)


def test_character_lstm_stays_in_single_precision_under_autocast() -> None:
    encoder = randomised(CharacterLSTM(characters=6)).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = encoder.encode(*spelling())
    torch.testing.assert_close(found, encoder.encode(*spelling()))


def test_last_states_have_exact_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    counts = [3, 2, 2, 1]
    gates = torch.randn(2, sum(counts), 8, dtype=torch.float64, generator=generator, requires_grad=True)
    recurrent = torch.randn(2, 2, 8, dtype=torch.float64, generator=generator, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *inputs: LastStates.apply(*inputs, counts), (gates, recurrent))


# --- Embeddings ---


def test_random_vectors_have_unit_variance_and_empty_padding() -> None:
    vectors = random_vectors(count=500, width=50)
    assert not vectors[0].any()
    assert vectors.var().item() == pytest.approx(1 / 50, rel=0.1)


@pytest.mark.parametrize("combine", ["sum", "concatenate"])
def test_hashed_features_have_tables_of_their_own(combine: str) -> None:
    part = HashedEmbedding(features=2, buckets=4, vector_width=3, combine=combine)
    hashes = torch.tensor([[5, -1], [2**62, 6]])  # buckets 1 and 3; 0 and 2
    rows = part.table.weight[torch.tensor([[1, 4 + 3], [0, 4 + 2]])]
    expected = rows.sum(1) if combine == "sum" else rows.flatten(1)
    torch.testing.assert_close(part(hashes, torch.tensor([[1, 0, 1]])), expected[[1, 0, 1]][None])
    assert part.width == expected.shape[1]


# --- Dropout ---


def test_locked_dropout_drops_the_same_features_all_along() -> None:
    torch.manual_seed(0)
    dropped = LockedDropout(probability=0.25)(torch.ones(200, 6, 10))
    assert torch.equal(dropped, dropped[:, :1].expand(-1, 6, -1))
    assert dropped.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert dropped.mean().item() == pytest.approx(1, abs=0.1)


def test_dropout_does_nothing_when_tagging() -> None:
    dropout = LockedDropout(probability=0.5)
    inputs = torch.full((3, 4, 5), 7)
    assert torch.equal(dropout.eval()(inputs), inputs)
