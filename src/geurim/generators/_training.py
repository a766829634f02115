"""How every neural generator is trained: the loop, its end, its checkpoints, its faults.

A generator gives a task: a network, its optimizers, what one batch does, and a score on rows held
out. The loop owns the rest, once: epochs, the order of rows, a smaller step when the score stands
still, the best weights, early stopping, the time allowed, checkpoints from which a killed fit goes
on to the same end, progress with loss and time left, and the naming of a fit that diverges.
Needs the extra `torch`.
"""

from __future__ import annotations

import copy
import math
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from geurim.contract import Event, Progress, quiet
from geurim.errors import FitError, MissingExtra, SettingError
from geurim.generators._settings import check_whole

_SPARE = 0.9  # the share of free memory that a fit may ask for
_SAVE_S = 10.0  # seconds between checkpoints, at least


@dataclass(frozen=True, kw_only=True)
class Training:
    """Settings of the loop.

    epochs: passes over the rows, at most. batch: rows a step. rate: the optimizer's first step.
    holdout: the share of rows held out to decide when to stop. patience: epochs without a better
    score before the end; after half of them the step is halved. seconds: the time allowed.
    device: "auto" takes a GPU where there is one. checkpoint: a file from which a killed fit goes
    on; it names no setting of the model, and may be anywhere.
    """

    epochs: int = 200
    batch: int = 512
    rate: float = 1e-3
    holdout: float = 0.1
    patience: int = 6
    seconds: float | None = None
    device: str = field(default="auto", repr=False, compare=False)
    checkpoint: str | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_whole(self, ("epochs", "batch", "patience"))
        if not (isinstance(self.rate, float | int) and 0 < self.rate < 1):
            raise SettingError(f"Training: rate is {self.rate!r}. Give a number between 0 and 1.")
        if not 0 <= self.holdout <= 0.5:
            raise SettingError(f"Training: holdout is {self.holdout!r}. Give a share up to 0.5.")
        if self.seconds is not None and not self.seconds > 0:
            raise SettingError(f"Training: seconds is {self.seconds!r}. Give a number above 0.")


class Task(Protocol):
    """What a generator gives to be trained."""

    network: Any  # torch.nn.Module with all weights, those of a discriminator included
    optimizers: list[Any]

    def step(self, rows: Any) -> Any:
        """One update on the training rows of these numbers (B,); gives the loss, detached."""

    def score(self, rows: Any) -> float:
        """How bad the network is on these rows (N,), which it was not trained on; lower is better.

        Called once an epoch, with the network in evaluation mode and without gradients.
        """


@dataclass(frozen=True, kw_only=True)
class History:
    """What a training came to: the score of each epoch, and which was the best."""

    scores: tuple[float, ...]
    best: int
    stopped: str  # "patience", "epochs" or "seconds"


def import_torch(what: str) -> Any:
    """The library, or MissingExtra: `what` needs the extra `torch`."""
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MissingExtra(what, "torch") from error
    return torch


def device_of(training: Training) -> Any:
    """The device to train on. Raises SettingError where it is not there."""
    torch = import_torch("Training")
    if training.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=training.device).device
    except (RuntimeError, AssertionError) as error:
        raise SettingError(
            f"Training: the device {training.device!r} cannot be used: {error}. "
            "Choose 'auto' or 'cpu'."
        ) from error


@contextmanager
def seeded(rng: np.random.Generator) -> Iterator[Any]:
    """Torch with its random numbers drawn from `rng`, and afterwards as they were before."""
    torch = import_torch("A neural generator")
    seed = int(rng.integers(2**62))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield torch


def train(
    build: Callable[[Any], Task],
    rows: int,
    training: Training,
    rng: np.random.Generator,
    progress: Progress = quiet,
    *,
    key: str,
) -> tuple[Any, History]:
    """The network of `build(device)` at its best epoch, on the CPU in evaluation mode.

    `rows`: how many there are, numbered from 0; some of them are held out. `key` tells this fit
    from others: a checkpoint of another is refused. Raises FitError where the loss is no number.
    """
    device = device_of(training)
    with seeded(rng) as torch:
        held, learned = _split(rows, training.holdout, rng)
        task = build(device)
        foresee(task.network)
        loop = _Loop(task, training, f"{key} {len(held)} of {rows}", torch)
        order = torch.as_tensor(learned, device=device)
        judged = torch.as_tensor(held if len(held) else learned[:10_000], device=device)
        loop.resume()
        while not loop.done():
            loop.epoch(order, judged, progress)
        task.network.load_state_dict(loop.best_weights)
    progress(Event(step="fit", done=training.epochs, total=training.epochs, unit="epochs"))
    return task.network.cpu().eval(), loop.history()


def _split(rows: int, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers held out, and those to learn from."""
    shuffled = rng.permutation(rows)
    held = min(int(share * rows), 20_000) if rows >= 50 else 0
    return np.sort(shuffled[:held]), np.sort(shuffled[held:])


class _Loop:
    """The state of one training, all of which a checkpoint holds."""

    def __init__(self, task: Task, training: Training, key: str, torch: Any) -> None:
        self.task, self.training, self.key, self.torch = task, training, key, torch
        self.scores: list[float] = []
        self.best = -1
        self.cut = 0  # the epoch after which the step was last halved
        self.best_weights = copy.deepcopy(task.network.state_dict())
        self.spent = 0.0  # seconds, those before a kill included
        self.saved = time.monotonic()

    def done(self) -> bool:
        return self.stopped() != ""

    def stopped(self) -> str:
        epochs = len(self.scores)
        if epochs >= self.training.epochs:
            return "epochs"
        if epochs - 1 - self.best >= self.training.patience and epochs:
            return "patience"
        return "seconds" if self.spent >= (self.training.seconds or math.inf) else ""

    def history(self) -> History:
        return History(scores=tuple(self.scores), best=self.best, stopped=self.stopped())

    def epoch(self, order: Any, judged: Any, progress: Progress) -> None:
        began = time.monotonic()
        network, batch = self.task.network, self.training.batch
        network.train()
        shuffled = order[self.torch.randperm(len(order)).to(order.device)]
        # A last batch of a row or two would be all noise: it is left to another epoch.
        last = max(len(order) - batch // 2, 1)
        losses = [self.task.step(shuffled[i : i + batch]) for i in range(0, last, batch)]
        loss = float(self.torch.stack([self.torch.as_tensor(x) for x in losses]).float().mean())
        network.eval()
        with self.torch.no_grad():
            score = float(self.task.score(judged))
        self._check(loss, score)
        self._judge(score)
        self.spent += time.monotonic() - began
        self._tell(loss, score, progress)
        self._save()

    def _check(self, loss: float, score: float) -> None:
        if math.isfinite(loss) and math.isfinite(score):
            return
        raise FitError(
            f"The fit diverged in epoch {len(self.scores) + 1}: the loss is {loss}, the score on "
            f"the rows held out {score}. Give a smaller rate than {self.training.rate:g}, such as "
            f"training=Training(rate={self.training.rate / 5:g})."
        )

    def _judge(self, score: float) -> None:
        epoch = len(self.scores)
        self.scores.append(score)
        if self.best < 0 or score < self.scores[self.best]:
            self.best = epoch
            self.best_weights = copy.deepcopy(self.task.network.state_dict())
        elif epoch - max(self.best, self.cut) >= max(self.training.patience // 2, 1):
            self.cut = epoch
            for optimizer in self.task.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] /= 2

    def _tell(self, loss: float, score: float, progress: Progress) -> None:
        epochs = len(self.scores)
        left = self.spent / epochs * (self.training.epochs - epochs)
        if self.training.seconds is not None:
            left = min(left, max(self.training.seconds - self.spent, 0.0))
        note = f"loss {loss:.3f}, held out {score:.3f} (best {self.scores[self.best]:.3f})"
        note += f", at most {left:.0f} s left"
        progress(
            Event(step="fit", done=epochs, total=self.training.epochs, unit="epochs", note=note)
        )

    # ---- checkpoints

    def _save(self) -> None:
        path = self.training.checkpoint
        if path is None or (time.monotonic() - self.saved < _SAVE_S and not self.done()):
            return
        target = Path(path)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            self.torch.save(self._state(), temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        self.saved = time.monotonic()

    def _state(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "network": self.task.network.state_dict(),
            "optimizers": [o.state_dict() for o in self.task.optimizers],
            "random": self.torch.get_rng_state(),
            "best_weights": self.best_weights,
            "scores": self.scores,
            "best": self.best,
            "cut": self.cut,
            "spent": self.spent,
        }

    def resume(self) -> None:
        """Go on where a checkpoint of this very fit stands. Nothing in a file is executed."""
        path = self.training.checkpoint
        if path is None or not Path(path).exists():
            return
        try:
            state = self.torch.load(path, weights_only=True, map_location="cpu")
            if state["key"] != self.key:
                raise ValueError("it belongs to other data, settings or another seed")
            self.task.network.load_state_dict(state["network"])
            for optimizer, saved in zip(self.task.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
        except Exception as error:  # whatever foreign bytes make the reader raise
            raise FitError(
                f"The checkpoint {path!r} cannot be gone on from: {error}. "
                "Remove it to begin anew, or give the data, settings and seed it was made with."
            ) from error
        self.torch.set_rng_state(state["random"])
        self.best_weights = state["best_weights"]
        self.scores, self.best = state["scores"], state["best"]
        self.cut, self.spent = state["cut"], state["spent"]


# ---- memory


def foresee(network: Any, extra: int = 0) -> None:
    """Refuse a fit whose weights, gradients and moments (and `extra` bytes) exceed free memory."""
    need = extra + 5 * sum(p.numel() * p.element_size() for p in network.parameters())
    free = free_memory()
    if need > _SPARE * free:
        raise FitError(
            f"The fit would need about {need / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are "
            "free. Take a smaller network or batch, or choose generator='trees'."
        )


def free_memory() -> float:
    """Bytes that this process may still use, as far as the system tells; else infinity."""
    free = math.inf
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(float(x.split()[1]) * 1024 for x in lines if x.startswith("MemAvailable"))
    except (OSError, StopIteration):
        if "SC_AVPHYS_PAGES" in os.sysconf_names:
            free = float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    limit = Path("/sys/fs/cgroup/memory.max")
    used = Path("/sys/fs/cgroup/memory.current")
    with suppress(OSError, ValueError):  # no such group, or "max"
        free = min(free, float(limit.read_text()) - float(used.read_text()))
    return free


# ---- networks in model files


def to_arrays(network: Any, prefix: str = "network/") -> dict[str, np.ndarray]:
    """A network's weights as plain arrays."""
    return {prefix + k: v.detach().cpu().numpy() for k, v in network.state_dict().items()}


def from_arrays(network: Any, arrays: dict[str, np.ndarray], prefix: str = "network/") -> Any:
    """The network with the weights that `to_arrays` gave, in evaluation mode."""
    torch = import_torch("A neural generator")
    weights = {
        k.removeprefix(prefix): torch.from_numpy(np.array(v))
        for k, v in arrays.items()
        if k.startswith(prefix)
    }
    network.load_state_dict(weights)
    return network.eval()
