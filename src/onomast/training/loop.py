"""The one training loop: batches, schedule, selection, checkpoints. It knows modules and losses, no sentences.

What is trained is a `Task`. A run killed at any moment resumes from its last checkpoint to the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from onomast.errors import ModelError
from onomast.files import atomic_path, write_text
from onomast.progress import progress
from onomast.recipe import Training
from onomast.training.divergence import divergence_of
from onomast.training.optimizers import ParameterGroup, optimizer_of

_BUCKET = 20  # batches are cut from shuffled pools of this many batches, sorted by length
_PAUSE = 5.0  # seconds between checkpoints, at least: an epoch of a few sentences takes less than writing one
_FILE = "checkpoint.safetensors"


class Task(Protocol):
    """What the loop trains: those of the module's parameters that require a gradient."""

    @property
    def module(self) -> nn.Module:
        """What is trained."""
        ...

    @property
    def lengths(self) -> Sequence[int]:
        """Length of each training example; batches hold examples of like length."""
        ...

    def loss(self, indices: Sequence[int], done: float) -> Tensor:
        """() mean loss of the examples with these indices; `done` is the share of all steps that is done."""
        ...

    def score(self) -> Mapping[str, float]:
        """Dev figures of the module as it is, such as `{"f1": 0.61, "dev_loss": 2.3}`; empty without dev examples."""
        ...

    def minimum_f1(self) -> float:
        """Dev F1 below which training has diverged; called only where the recipe checks for divergence."""
        ...

    def parameter_groups(self) -> Mapping[str, ParameterGroup]:
        """Parameters, by name, that do not learn at the recipe's rate."""
        ...


@dataclass
class _State:
    """Everything about a run except its tensors; written with each checkpoint."""

    epoch: int = 0
    step: int = 0
    """Batches done in this epoch."""
    total: float = 0.0
    """Sum of the losses of this epoch."""
    seconds: float = 0.0
    rate: float = 1.0
    """Factor on the learning rate: plateau's, and that of a rescue."""
    rescued: bool = False
    """Whether this is the second attempt, after divergence."""
    best: float = -math.inf
    best_epoch: int = 0
    waited: int = 0
    """Epochs since the dev score or the rate last changed for the better."""
    finished: bool = False
    rows: list[dict[str, Any]] = field(default_factory=list)


def train(
    task: Task, settings: Training, *, seed: int, run: str = "", folder: Path | None = None
) -> list[dict[str, Any]]:
    """Train `task.module` in place; it ends with the selected weights. Returns one row of figures per epoch.

    `run` identifies recipe and data: checkpoints in `folder` that carry the same text are resumed from, others raise
    ModelError.
    """
    loop = _Loop(task, settings, seed, run, folder)
    with threads(settings.threads), progress("training", loop.epochs) as advance:
        torch.manual_seed(seed)
        loop.resume()
        while not loop.state.finished:
            for indices in loop.remaining_batches():
                loop.step(indices)
                advance(*loop.report())
            loop.close_epoch()
    loop.restore_selected()
    return loop.state.rows


def batches(lengths: Sequence[int], size: int, generator: torch.Generator) -> list[list[int]]:
    """Every index once, in random batches of `size` whose examples have like lengths."""
    order = torch.randperm(len(lengths), generator=generator).tolist()
    pool = size * _BUCKET
    cut: list[list[int]] = []
    for start in range(0, len(order), pool):
        sorted_pool = sorted(order[start : start + pool], key=lambda index: lengths[index])
        cut += [sorted_pool[first : first + size] for first in range(0, len(sorted_pool), size)]
    return [cut[index] for index in torch.randperm(len(cut), generator=generator).tolist()]


class _Loop:
    def __init__(self, task: Task, settings: Training, seed: int, run: str, folder: Path | None) -> None:
        self.task = task
        self.settings = settings
        self.seed = seed
        self.run_name = run
        self.folder = folder
        self.parameters = {name: value for name, value in task.module.named_parameters() if value.requires_grad}
        self.optimizer = optimizer_of(self.parameters, task.parameter_groups(), settings)
        self.steps_per_epoch = max(1, math.ceil(len(task.lengths) / settings.batch_size))
        self.epochs = max(settings.epochs, math.ceil(settings.steps / self.steps_per_epoch))
        self.average = (
            {name: value.detach().clone() for name, value in self.parameters.items()} if settings.averaging else {}
        )
        self.first = (
            {name: value.detach().clone() for name, value in self.parameters.items()} if settings.rescue_after else {}
        )
        self.best: dict[str, Tensor] = {}
        self.state = _State()
        self.began = time.monotonic()
        self.saved = -math.inf
        """When the last checkpoint was written."""

    def remaining_batches(self) -> Iterator[list[int]]:
        """The batches of the current epoch that are still to be done; stops when the time is up."""
        state, settings = self.state, self.settings
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + state.epoch)
        order = batches(self.task.lengths, settings.batch_size, generator)
        self.task.module.train()
        for indices in order[state.step :]:
            yield indices
            if self._out_of_time():
                break
            if time.monotonic() - self.saved > settings.checkpoint_minutes * 60:
                self._checkpoint()

    def report(self) -> tuple[float, str]:
        """How far the training is, in epochs, and its last figures."""
        state = self.state
        dev = f", dev F1 {state.rows[-1]['f1']:.3f}" if state.rows and "f1" in state.rows[-1] else ""
        return self._done() * self.epochs, f"loss {state.total / state.step:.3f}{dev}"

    def restore_selected(self) -> None:
        """Give the module the selected weights: the best, the averaged, or the last ones as they are."""
        if selected := self.best or self.average:
            self.task.module.load_state_dict(selected, strict=False)

    def _out_of_time(self) -> bool:
        return bool(self.settings.seconds and self.state.seconds > self.settings.seconds)

    def step(self, indices: Sequence[int]) -> None:
        """One update of the weights on one batch."""
        rate = self._rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["rate_factor"]
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        size = math.ceil(len(indices) / self.settings.gradient_accumulation)
        for start in range(0, len(indices), size):
            part = indices[start : start + size]
            loss = self.task.loss(part, self._done()) * (len(part) / len(indices))
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        if self.settings.clip:
            nn.utils.clip_grad_norm_(self.parameters.values(), self.settings.clip)
        self.optimizer.step()
        if self.average:
            taken = self._steps() + 1
            decay = min(self.settings.averaging, (1 + taken) / (10 + taken))
            averages = list(self.average.values())
            torch._foreach_lerp_(averages, [value.detach() for value in self.parameters.values()], 1 - decay)
        self.state.total += total
        self.state.step += 1
        self.state.seconds = time.monotonic() - self.began

    def _rate(self) -> float:
        settings, state = self.settings, self.state
        if settings.schedule in ("constant", "plateau"):
            return settings.learning_rate * state.rate
        peak = settings.learning_rate * state.rate
        share = self._done()
        if share < settings.warmup:
            return peak * max(share / settings.warmup, 0.02)
        left = (1 - share) / (1 - settings.warmup)
        return peak * (left if settings.schedule == "linear" else (1 - math.cos(math.pi * left)) / 2)

    def _done(self) -> float:
        """The share of all steps that is done, or of the seconds where that is more."""
        share = self._steps() / (self.epochs * self.steps_per_epoch)
        limit = self.settings.seconds
        return min(1.0, max(share, self.state.seconds / limit)) if limit else share

    def _steps(self) -> int:
        return self.state.epoch * self.steps_per_epoch + self.state.step

    def close_epoch(self) -> None:
        """Score, select, decide what is next, and write a checkpoint unless one was just written."""
        self._close_epoch()
        self.state.seconds = time.monotonic() - self.began
        self.state.finished = self.state.finished or self._out_of_time()
        if self.state.finished or time.monotonic() - self.saved > _PAUSE:
            self._checkpoint()

    def _close_epoch(self) -> None:
        """Score, select, move the schedule, write the row of figures."""
        state, settings = self.state, self.settings
        with self._averaged():
            self.task.module.eval()
            figures = dict(self.task.score()) if settings.dev != "none" else {}
            row = {"epoch": state.epoch + 1, "loss": state.total / max(1, state.step), "rate": self._rate()}
            state.rows.append({**row, **figures, "steps": self._steps(), "seconds": round(state.seconds, 2)})
            score = -figures["dev_loss"] if settings.select == "loss" and figures else figures.get("f1")
            better = score is not None and score > state.best
            if better and score is not None:
                state.best, state.best_epoch = score, state.epoch + 1
            if better and settings.select != "last":
                self.best = {name: value.detach().clone() for name, value in self.parameters.items()}
        if settings.rescue_after and not state.rescued:
            reason = divergence_of(state.rows, settings, self.epochs, self.task.minimum_f1)
            if reason:
                self._start_again(reason)
                return
        # While dev F1 is still 0 nothing has been learnt yet: lowering the rate then would keep it so.
        nothing_yet = settings.select != "loss" and state.best <= 0
        state.waited = 0 if better or nothing_yet else state.waited + 1
        state.epoch, state.step, state.total = state.epoch + 1, 0, 0.0
        state.finished = state.epoch >= self.epochs
        if score is None:
            return
        if settings.schedule == "plateau" and state.waited >= settings.patience:
            state.rate *= settings.factor
            state.waited = 0
            state.finished = state.finished or settings.learning_rate * state.rate < settings.minimum_rate
        if settings.stop_after and not nothing_yet and state.epoch - state.best_epoch >= settings.stop_after:
            state.finished = True

    def _start_again(self, reason: str) -> None:
        """Put everything back to the start, but for the learning rate, the random state and the rows so far."""
        state, settings = self.state, self.settings
        for row in state.rows:
            row["attempt"] = 1
        state.rows[-1]["diverged"] = (
            f"DIVERGED in epoch {state.epoch + 1}: {reason}. Started again at "
            f"{settings.rescue_factor:g} of the learning rate {settings.learning_rate:g}"
        )
        self.state = _State(rate=settings.rescue_factor, rescued=True, seconds=state.seconds, rows=state.rows)
        self.task.module.load_state_dict(self.first, strict=False)
        self.average = {name: self.first[name].clone() for name in self.average}
        self.best = {}
        self.optimizer = optimizer_of(self.parameters, self.task.parameter_groups(), settings)
        torch.manual_seed(self.seed + 1)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """The averaged weights, for the time of the block."""
        if not self.average:
            yield
            return
        current = {name: value.detach().clone() for name, value in self.parameters.items()}
        self.task.module.load_state_dict(self.average, strict=False)
        try:
            yield
        finally:
            self.task.module.load_state_dict(current, strict=False)

    def _checkpoint(self) -> None:
        if self.folder is None:
            return
        from safetensors.torch import save_file

        tensors = {f"module.{name}": value.detach() for name, value in self.parameters.items()}
        tensors |= {f"average.{name}": value for name, value in self.average.items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for index, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{slot}": value for slot, value in slots.items() if value is not None}
        tensors["random"] = torch.get_rng_state()
        if torch.cuda.is_available():
            tensors["random.cuda"] = torch.cuda.get_rng_state()
        tensors = {name: value.cpu().contiguous() for name, value in tensors.items()}
        metadata = {"run": self.run_name, "state": json.dumps(asdict(self.state))}
        metadata["sha256"] = _checksum(tensors, metadata)
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(self.folder / _FILE) as path:
            save_file(tensors, path, metadata=metadata)
        self.saved = time.monotonic()
        write_text(self.folder / "history.jsonl", "".join(json.dumps(row) + "\n" for row in self.state.rows))

    def resume(self) -> None:
        path = None if self.folder is None else self.folder / _FILE
        if self.folder is None or path is None or not path.is_file():
            return
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                metadata = dict(file.metadata() or {})
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            if metadata.pop("sha256", None) != _checksum(tensors, metadata):
                raise ValueError("its checksum differs")
            state = json.loads(metadata["state"])
        except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise ModelError(f"{_FILE} is damaged ({error}); delete it to start anew", folder=self.folder) from None
        if metadata.get("run") != self.run_name:
            raise ModelError(
                "these checkpoints are of another recipe, seed or corpus; delete the folder or give the same ones",
                folder=self.folder,
            )
        self.state = _State(**state)
        parts: dict[str, dict[str, Tensor]] = {"module": {}, "average": {}, "best": {}, "optimizer": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            if part in parts:
                parts[part][rest] = value
        self.task.module.load_state_dict(parts["module"], strict=False)
        self.average = {name: parts["average"][name] for name in self.average}
        self.best = parts["best"]
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in parts["optimizer"].items():
            index, _, slot = name.partition(".")
            slots.setdefault(int(index), {})[slot] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": slots})
        self.began = time.monotonic() - self.state.seconds
        torch.set_rng_state(tensors["random"])
        if "random.cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["random.cuda"])


def _checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """SHA-256 of the names, types, shapes and values of tensors, and of the metadata beside them."""
    digest = hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode("utf-8", "surrogatepass"))
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode("utf-8", "surrogatepass"))
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Let torch use this many processor threads, for the time of the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
