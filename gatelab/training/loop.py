"""The training loop: R seeds of a model side by side, each as if it were alone.

The loss is the sum of the replicas' losses. No replica's loss depends on another's weights, and every optimizer here
is elementwise, so each replica gets the gradients and the steps that it would get alone. A replica that has reached
its goal leaves the computation with the weights it has then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import fmean

import torch
from torch import Tensor

from gatelab.tasks import find_task
from gatelab.training.checkpoint import Checkpoint
from gatelab.training.flat import Flat
from gatelab.training.optimizers import make_optimizer, optimizer_state, restore_optimizer
from gatelab.training.record import End, Point, SeedResult
from gatelab.training.replicas import clip_gradients, finite, initial_weights, load_replicas, select
from gatelab.training.settings import Settings


@dataclass(frozen=True)
class Progress:
    """Where a training stands.

    Attributes:
        step: taken so far.
        steps: at most.
        learning: replicas that go on; none when the run is over.
        replicas: R.
        loss: the mean over those that took the step, in nats.
        accuracy: likewise, in percent, on the last batch.
        stage: of the course, in words; may be empty.
    """

    step: int
    steps: int
    learning: int
    replicas: int
    loss: float
    accuracy: float
    stage: str


@dataclass(frozen=True)
class Seen:
    """What a step has shown, of the replicas that took it.

    Attributes:
        losses: of each, in nats.
        logits: (R, B, O).
        target: (R, B).
    """

    losses: list[float]
    logits: Tensor
    target: Tensor


class Training:
    """A run in the making. Between two steps, `checkpoint` holds all of it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.task = find_task(settings.task)
        self.taken = 0
        self.learning = torch.arange(len(settings.seeds))
        self.ends: list[End | None] = [None] * len(settings.seeds)
        self.end_steps = [0] * len(settings.seeds)
        self.curves: list[list[Point]] = [[] for _ in settings.seeds]
        self.kept = initial_weights(settings)
        self.course = self.task.course(settings.seeds)
        self._learn_from(self.kept, {})

    @property
    def over(self) -> bool:
        return not len(self.learning)

    def step(self) -> None:
        """One step of every replica that still learns."""
        batch = self.course.batch()
        logits = self.model(batch.x, batch.lengths)
        losses = self.task.loss(logits, batch.target)
        self.flat.gradient.zero_()
        losses.sum().backward()
        if self.settings.clip is not None:
            clip_gradients(self.model, self.settings.clip)
        self.optimizer.step()
        self.taken += 1
        reached = self.course.finished(self.taken, batch, self.model).tolist()
        self.seen = Seen(losses.tolist(), logits.detach(), batch.target)
        last = self.taken >= self.settings.steps
        sound = list(map(math.isfinite, self.seen.losses))
        ended = [last or done or not fine for done, fine in zip(reached, sound, strict=True)]
        self._record(ended)
        if any(ended):
            self._retire(ended, reached, sound)

    def progress(self) -> Progress:
        """Where the last step has come to."""
        return Progress(
            step=self.taken,
            steps=self.settings.steps,
            learning=len(self.learning),
            replicas=len(self.settings.seeds),
            loss=fmean(self.seen.losses),
            accuracy=fmean(self._accuracy()),
            stage="" if self.over else self.course.stage(),
        )

    def results(self) -> tuple[SeedResult, ...]:
        """What became of each seed, with the task's test of its last weights."""
        model = load_replicas(self.settings, self.kept)
        with torch.no_grad():
            scores = self.task.test(model)
        found = []
        for replica, seed in enumerate(self.settings.seeds):
            end = self.ends[replica]
            assert end is not None, "results are asked before the end"
            own = {n: None if end == "diverged" else _plain(values[replica]) for n, values in scores.items()}
            found.append(SeedResult(seed, end, self.end_steps[replica], own, tuple(self.curves[replica])))
        return tuple(found)

    def checkpoint(self, seconds: float) -> Checkpoint:
        """All that `restore` needs to go on with the same bits; `seconds` is how long it took so far."""
        groups = {
            "kept": self.kept,
            "weights": self.model.state_dict(),
            "optimizer": optimizer_state(self.optimizer, self.flat),
            "course": {} if self.over else self.course.state(),
        }
        tensors = {f"{group}:{name}": value for group, part in groups.items() for name, value in part.items()}
        facts = {
            "of": self.settings.identity,
            "taken": self.taken,
            "learning": self.learning.tolist(),
            "ends": self.ends,
            "end_steps": self.end_steps,
            "curves": [[list(asdict(point).values()) for point in curve] for curve in self.curves],
            "seconds": seconds,
        }
        return Checkpoint(tensors, facts)

    @classmethod
    def restore(cls, settings: Settings, checkpoint: Checkpoint) -> Training:
        """The training as it was when the checkpoint was taken."""
        groups: dict[str, dict[str, Tensor]] = {"kept": {}, "weights": {}, "optimizer": {}, "course": {}}
        for name, tensor in checkpoint.tensors.items():
            group, _, own = name.partition(":")
            groups[group][own] = tensor
        training, facts = cls(settings), checkpoint.facts
        training.taken = facts["taken"]
        training.learning = torch.tensor(facts["learning"], dtype=torch.long)
        training.ends, training.end_steps = facts["ends"], facts["end_steps"]
        training.curves = [[Point(*values) for values in curve] for curve in facts["curves"]]
        training.kept = groups["kept"]
        if not training.over:
            training.course.restore(groups["course"])
            training._learn_from(groups["weights"], groups["optimizer"])
        return training

    def _learn_from(self, weights: Mapping[str, Tensor], optimizer: Mapping[str, Tensor]) -> None:
        self.model = load_replicas(self.settings, weights)
        self.flat = Flat(self.model)
        self.optimizer = make_optimizer(self.settings.optimizer, [self.flat.whole], self.settings.learning_rate)
        restore_optimizer(self.optimizer, self.flat, optimizer)

    def _accuracy(self) -> list[float]:
        return self.task.accuracy(self.seen.logits, self.seen.target).tolist()

    def _record(self, ended: list[bool]) -> None:
        """Adds a point to the curves, 16 to each doubling of the steps, and one where a replica ends."""
        due = self.taken % (1 << max(0, self.taken.bit_length() - 5)) == 0
        if not due and not any(ended):
            return
        rows = zip(self.learning.tolist(), self.seen.losses, self._accuracy(), ended, strict=True)
        for replica, loss, percent, its_last in rows:
            if due or its_last:
                point = Point(self.taken, loss if math.isfinite(loss) else None, percent)
                self.curves[replica].append(point)

    def _retire(self, ended: list[bool], reached: list[bool], sound: list[bool]) -> None:
        """Keeps the weights of the replicas that have ended and goes on with the others."""
        weights = self.model.state_dict()
        learning = self.learning.tolist()
        still_sound = finite(weights).tolist()
        gone = [row for row, is_over in enumerate(ended) if is_over]
        for row in gone:
            replica = learning[row]
            diverged = not (sound[row] and still_sound[row])
            self.ends[replica] = "diverged" if diverged else "goal" if reached[row] else "steps"
            self.end_steps[replica] = self.taken
        for name, tensor in weights.items():
            self.kept[name][self.learning[gone]] = tensor[gone]
        rest = torch.tensor([row for row, is_over in enumerate(ended) if not is_over], dtype=torch.long)
        self.learning = self.learning[rest]
        if not self.over:
            self.course.keep(rest)
            remembered = select(optimizer_state(self.optimizer, self.flat), rest)
            self._learn_from(select(weights, rest), remembered)


def _plain(score: Tensor) -> float:
    """A score as a number that reads well: percent to a thousandth."""
    return round(score.item(), 3)
