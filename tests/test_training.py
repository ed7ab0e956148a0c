"""The loop on a task small enough to know the answer: resuming, schedules, selection, batches."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from onomast.errors import ModelError
from onomast.recipe import Training
from onomast.training.loop import batches, train
from onomast.training.optimizers import ParameterGroup

SETTINGS = Training(epochs=6, batch_size=4, learning_rate=0.05, checkpoint_minutes=0.0, averaging=0.9)


class KilledError(Exception):
    """Stands for SIGKILL: nothing after it runs."""


class Regression:
    """A task with dropout, so that random states matter."""

    def __init__(self, scores: Sequence[float] | None = None, die_at: int | None = None) -> None:
        generator = torch.Generator().manual_seed(1)
        self.inputs = torch.randn(18, 5, generator=generator)
        self.wanted = self.inputs.sum(1)
        self.lengths = [index % 7 + 1 for index in range(18)]
        torch.manual_seed(3)
        self.module = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.3), nn.Linear(8, 1))
        self.scores = scores
        self.scored = 0
        self.steps = 0
        self.die_at = die_at
        self.groups: dict[str, ParameterGroup] = {}

    def loss(self, indices: Sequence[int], done: float) -> Tensor:  # noqa: ARG002
        self.steps += 1
        if self.steps == self.die_at:
            raise KilledError
        return ((self.module(self.inputs[list(indices)])[:, 0] - self.wanted[list(indices)]) ** 2).mean()

    def minimum_f1(self) -> float:
        return 0.3

    def parameter_groups(self) -> Mapping[str, ParameterGroup]:
        return self.groups

    def score(self) -> Mapping[str, float]:
        self.scored += 1
        if self.scores is not None:
            return {"f1": self.scores[min(self.scored, len(self.scores)) - 1]}
        with torch.no_grad():
            return {"f1": -float(((self.module(self.inputs)[:, 0] - self.wanted) ** 2).mean())}


def weights(task: Regression) -> bytes:
    return b"".join(value.detach().numpy().tobytes() for value in task.module.state_dict().values())


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "adadelta"])
@pytest.mark.parametrize("schedule", ["plateau", "one-cycle"])
def test_a_killed_run_resumes_to_the_same_bytes(tmp_path: Path, optimizer: str, schedule: str) -> None:
    settings = dataclasses.replace(SETTINGS, optimizer=optimizer, schedule=schedule, momentum=0.5)  # type: ignore[arg-type]
    whole = Regression()
    rows = train(whole, settings, seed=5, run="r")
    for die_at in (3, 12, 24):
        folder = tmp_path / str(die_at)
        with pytest.raises(KilledError):
            train(Regression(die_at=die_at), settings, seed=5, run="r", folder=folder)
        resumed = Regression()
        again = train(resumed, settings, seed=5, run="r", folder=folder)
        assert resumed.steps == whole.steps - (die_at - 1)  # nothing is repeated
        assert weights(resumed) == weights(whole)
        assert [{**row, "seconds": 0} for row in again] == [{**row, "seconds": 0} for row in rows]


def test_another_seed_gives_other_weights() -> None:
    first, second = Regression(), Regression()
    train(first, SETTINGS, seed=1)
    train(second, SETTINGS, seed=2)
    assert weights(first) != weights(second)


def test_checkpoints_of_another_run_are_refused(tmp_path: Path) -> None:
    train(Regression(), SETTINGS, seed=5, run="one", folder=tmp_path)
    with pytest.raises(ModelError, match="another recipe, seed or corpus"):
        train(Regression(), SETTINGS, seed=5, run="two", folder=tmp_path)


def test_a_damaged_checkpoint_is_one_clear_error(tmp_path: Path) -> None:
    train(Regression(), SETTINGS, seed=5, folder=tmp_path)
    (tmp_path / "checkpoint.safetensors").write_bytes(b"no tensors here")
    with pytest.raises(ModelError, match="delete it to start anew"):
        train(Regression(), SETTINGS, seed=5, folder=tmp_path)


def test_history_is_written_line_by_line(tmp_path: Path) -> None:
    rows = train(Regression(), SETTINGS, seed=5, folder=tmp_path)
    lines = (tmp_path / "history.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == rows
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]


def test_plateau_halves_and_stops() -> None:
    settings = Training(epochs=100, batch_size=18, learning_rate=1.0, patience=3, factor=0.5, minimum_rate=0.2)
    rows = train(Regression(scores=[0.5]), settings, seed=0)
    # Epoch 1 is the best; epochs 4, 7 and 10 are the third without a better one: 0.5, 0.25, then 0.125 is below 0.2.
    assert [row["rate"] for row in rows] == [1.0] * 4 + [0.5] * 3 + [0.25] * 3


def test_plateau_waits_until_something_is_learnt() -> None:
    settings = Training(epochs=8, batch_size=18, learning_rate=1.0, patience=2, stop_after=3)
    rows = train(Regression(scores=[0.0, 0.0, 0.0, 0.0, 0.0, 0.4]), settings, seed=0)
    assert [row["rate"] for row in rows] == [1.0] * 8


def test_the_best_epoch_is_kept() -> None:
    task = Regression(scores=[0.1, 0.9, 0.2, 0.3])
    settings = Training(epochs=4, batch_size=4, schedule="constant")
    kept = Regression(scores=[0.1, 0.9])
    train(task, settings, seed=0)
    train(kept, dataclasses.replace(settings, epochs=2), seed=0)
    assert weights(task) == weights(kept)


def test_stop_after_counts_from_the_best_epoch() -> None:
    settings = Training(epochs=50, batch_size=18, schedule="constant", stop_after=4)
    assert len(train(Regression(scores=[0.1, 0.9, 0.2]), settings, seed=0)) == 6


def test_steps_raise_the_number_of_epochs() -> None:
    task = Regression()
    train(task, Training(epochs=2, steps=23, batch_size=4, dev="none"), seed=0)
    assert task.steps == 25  # 5 batches an epoch
    assert task.scored == 0


def test_one_cycle_rises_and_falls() -> None:
    settings = Training(epochs=20, batch_size=18, learning_rate=1.0, schedule="one-cycle", warmup=0.25, dev="none")
    rates = [row["rate"] for row in train(Regression(), settings, seed=0)]
    peak = rates.index(max(rates))
    assert peak == 4 and rates[peak] == 1.0  # a quarter of 20 epochs has passed when the fifth ends
    assert rates[:5] == sorted(rates[:5]) and rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[-1] == 0.0


def test_a_limit_in_seconds_ends_the_run_with_a_result() -> None:
    rows = train(Regression(), Training(epochs=1000, batch_size=4, seconds=1e-9), seed=0)
    assert len(rows) == 1


def test_batches_hold_every_index_once_and_like_lengths() -> None:
    lengths = [index * 37 % 101 for index in range(500)]
    made = batches(lengths, 16, torch.Generator().manual_seed(0))
    assert sorted(index for batch in made for index in batch) == list(range(500))
    spread = [max(lengths[i] for i in batch) - min(lengths[i] for i in batch) for batch in made]
    assert sum(spread) / len(spread) < 10  # a random batch of 16 spreads over about 89
    assert made != batches(lengths, 16, torch.Generator().manual_seed(1))


def test_each_parameter_learns_at_its_own_pace() -> None:
    task = Regression()
    before = [value.detach().clone() for value in task.module.parameters()]
    names = [name for name, _ in task.module.named_parameters()]
    task.groups = {names[0]: ParameterGroup(0.5), names[1]: ParameterGroup(0.0), names[2]: ParameterGroup(decays=False)}
    settings = Training(
        optimizer="sgd", learning_rate=0.1, weight_decay=0.3, epochs=1, batch_size=18, schedule="constant", clip=0
    )
    task.module.eval()
    (task.loss(range(18), 0.0)).backward()
    gradients = [value.grad.clone() for value in task.module.parameters() if value.grad is not None]
    task.module.zero_grad()
    task.module[1].p = 0.0  # type: ignore[union-attr] # no dropout in training either
    train(task, settings, seed=0)
    wanted = [
        before[0] - 0.05 * (gradients[0] + 0.3 * before[0]),
        before[1],
        before[2] - 0.1 * gradients[2],
        before[3] - 0.1 * (gradients[3] + 0.3 * before[3]),
    ]
    for made, want in zip(task.module.parameters(), wanted, strict=True):
        torch.testing.assert_close(made.detach(), want)


def test_accumulated_gradients_equal_those_of_the_whole_batch() -> None:
    settings = Training(optimizer="sgd", epochs=3, batch_size=7, learning_rate=0.05)
    tasks = Regression(), Regression()
    for task, parts in zip(tasks, (1, 3), strict=True):
        task.module[1].p = 0.0  # type: ignore[union-attr]
        train(task, dataclasses.replace(settings, gradient_accumulation=parts), seed=4)
    for one, two in zip(*(task.module.parameters() for task in tasks), strict=True):
        torch.testing.assert_close(one, two)


RESCUE = dataclasses.replace(SETTINGS, schedule="linear", rescue_after=2, rescue_factor=0.1, averaging=0.0)


@pytest.mark.parametrize(
    ("scores", "collapses"),
    [
        ([0.0], True),
        ([0.2, 0.25, 0.25], True),
        ([0.1, 0.2, 0.31], False),  # below the minimum of 0.3, but rising
        ([0.4, 0.35, 0.31], False),  # falling, but above the minimum
    ],
)
def test_a_collapse_is_seen_by_dev_scores(scores: list[float], collapses: bool) -> None:
    rows = train(Regression(scores=scores), RESCUE, seed=0)
    assert ("attempt" in rows[0]) == collapses == (len(rows) > 6)
    if collapses:
        last = next(place for place, row in enumerate(rows) if "diverged" in row)
        assert "0.1 of the learning rate" in rows[last]["diverged"]
        assert [row["epoch"] for row in rows[last + 1 :]] == [1, 2, 3, 4, 5, 6]
        assert rows[last + 1]["rate"] == pytest.approx(0.1 * rows[0]["rate"])


def test_a_loss_that_is_no_number_starts_again_and_one_that_falls_does_not() -> None:
    settings = dataclasses.replace(RESCUE, dev="none", optimizer="sgd", clip=0, rescue_factor=1e-9)
    rows = train(Regression(), dataclasses.replace(settings, learning_rate=1e7), seed=0)
    assert "no number" in next(row["diverged"] for row in rows if "diverged" in row)
    assert rows[-1]["loss"] == rows[-1]["loss"]
    assert len(train(Regression(), dataclasses.replace(settings, learning_rate=0.05), seed=0)) == 6
    still = train(Regression(), dataclasses.replace(settings, learning_rate=1e-9), seed=0)
    assert "stands still" in next(row["diverged"] for row in still if "diverged" in row)


@pytest.mark.parametrize("die_at", [3, 14, 22])
def test_a_rescued_run_resumes_to_the_same_bytes(tmp_path: Path, die_at: int) -> None:
    whole = Regression(scores=[0.0])
    rows = train(whole, RESCUE, seed=5, run="r")
    with pytest.raises(KilledError):
        train(Regression(scores=[0.0], die_at=die_at), RESCUE, seed=5, run="r", folder=tmp_path)
    resumed = Regression(scores=[0.0])
    again = train(resumed, RESCUE, seed=5, run="r", folder=tmp_path)
    assert weights(resumed) == weights(whole)
    assert [{**row, "seconds": 0} for row in again] == [{**row, "seconds": 0} for row in rows]


@pytest.mark.parametrize("place", [0.3, 0.5, 0.7, 0.95])
def test_a_flipped_bit_in_a_checkpoint_is_one_clear_error(place: float, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        train(Regression(die_at=12), SETTINGS, seed=5, run="r", folder=tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"checkpoint\.safetensors is damaged .*; delete it"):
        train(Regression(), SETTINGS, seed=5, run="r", folder=tmp_path)
