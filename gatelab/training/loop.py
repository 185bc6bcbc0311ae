"""The training loop: R seeds of a model side by side, each as if it were alone.

The loss is the sum of the replicas' losses. No replica's loss depends on another's weights, and every optimizer here
is elementwise, so each replica gets the gradients and the steps that it would get alone. Dropout is drawn from a
generator for each seed. A replica that has ended leaves the computation with the weights it has then, or with those
that were best on the validation data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gatelab.errors import OptionError
from gatelab.files import Checkpoint
from gatelab.nn.models import SequenceModel
from gatelab.nn.state import make_state
from gatelab.tasks import open_problem
from gatelab.tasks.base import Batch
from gatelab.tasks.streams import generators_at, generators_for, states_of
from gatelab.training.chosen import Chosen
from gatelab.training.flat import Flat
from gatelab.training.history import History
from gatelab.training.optimizers import make_optimizer, optimizer_state, restore_optimizer, stepping
from gatelab.training.record import End, SeedResult
from gatelab.training.replicas import clip_norms, finite, initial_weights, load_replicas, select, weights_of
from gatelab.training.schedules import rate_at
from gatelab.training.settings import Settings
from gatelab.training.steady import SteadyModel


@dataclass(frozen=True)
class Progress:
    """Where a training stands.

    Attributes:
        step: taken so far.
        steps: at most.
        learning: replicas that go on; none when the run is over.
        replicas: R.
        loss: the mean over those that took the step, in nats.
        score: likewise, as the task has it, on the last batch.
        stage: of the course, in words; may be empty.
        best: the mean of the best scores on the validation data; None before the first look.
    """

    step: int
    steps: int
    learning: int
    replicas: int
    loss: float
    score: float
    stage: str
    best: float | None


class Seen(NamedTuple):
    """What a step has shown, of the replicas that took it.

    Attributes:
        losses: of each, in nats.
        answers: as the task has them, (R, ...).
        target: likewise.
    """

    losses: list[float]
    answers: Tensor
    target: Tensor


class _AtRest:
    """A model without dropout, for as long as the context lasts."""

    def __init__(self, model: SequenceModel) -> None:
        self.model = model

    def __enter__(self) -> None:
        self.model.eval()

    def __exit__(self, *why: object) -> None:
        self.model.train()


class Training:
    """A run in the making. Between two steps, `checkpoint` holds all of it."""

    def __init__(self, settings: Settings, backend: str = "auto") -> None:
        self.settings = settings
        self.backend = backend
        self.problem = open_problem(settings.task, settings.options)
        if self.problem.stateful and settings.bidirectional:
            raise OptionError(
                f"On {settings.task} a layer that goes both ways would read its answers, as states go on from batch to "
                "batch.\nLeave bidirectional out."
            )
        self.taken = 0
        self.learning = list(range(len(settings.seeds)))
        self.histories = [History() for _ in settings.seeds]
        self.kept = initial_weights(settings)
        self.course = self.problem.course(settings.seeds, settings.batch_size)
        self.steps = self._count_steps()
        self.look_every = settings.validate_every or self.course.epoch or 1
        self.chosen = Chosen(len(settings.seeds))
        self.generators = generators_for(settings.seeds, "noise")
        self.carried: Any = None
        self._learn_from(self.kept, {})

    @property
    def over(self) -> bool:
        return not self.learning

    def step(self) -> None:
        """One step of every replica that still learns."""
        batch = self.course.batch()
        if self.problem.stateful:
            answers, losses = self._learn_along(batch)
        else:
            answers, losses = self.steady.learn(batch)
        self._clip()
        self._set_rate()
        self._take_step()
        self.taken += 1
        with self.at_rest:
            reached = self.course.finished(self.taken, batch, self.steady)
        self.seen = Seen(losses.tolist(), answers, batch.target)
        last = self.taken >= self.steps
        tired = self._look(last)
        sound = list(map(math.isfinite, self.seen.losses))
        each = zip(reached, tired, sound, strict=True)
        ended = [last or has_reached or is_tired or not is_sound for has_reached, is_tired, is_sound in each]
        self._record(ended)
        if any(ended):
            self._retire(ended, reached, tired, sound)

    def progress(self) -> Progress:
        """Where the last step has come to."""
        best = self.chosen.values[self.chosen.values.isfinite()]
        return Progress(
            step=self.taken,
            steps=self.steps,
            learning=len(self.learning),
            replicas=len(self.settings.seeds),
            loss=fmean(self.seen.losses),
            score=fmean(self._scores()),
            stage="" if self.over else self.course.stage(),
            best=best.mean().item() if len(best) else None,
        )

    def results(self) -> tuple[SeedResult, ...]:
        """What became of each seed, with the task's test of the weights that were kept."""
        model = self._load(self.kept).eval()
        with torch.no_grad():
            scores = self.problem.test(model)
        each = zip(self.settings.seeds, self.histories, strict=True)
        return tuple(
            history.result(seed, {name: own[replica].item() for name, own in scores.items()})
            for replica, (seed, history) in enumerate(each)
        )

    def checkpoint(self, seconds: float) -> Checkpoint:
        """All that `restore` needs to go on with the same bits; `seconds` is how long it took so far."""
        groups = {
            "kept": self.kept,
            "weights": weights_of(self.model),
            "optimizer": optimizer_state(self.optimizer, self.flat),
            "course": {} if self.over else self.course.state(),
            "chosen": self.chosen.state(),
            "noise": {} if self.over else {"generators": states_of(self.generators)},
            "carried": {} if self.carried is None else self.carried._asdict(),
        }
        tensors = {f"{group}:{name}": value for group, part in groups.items() for name, value in part.items()}
        facts = {
            "of": self.settings.identity,
            "taken": self.taken,
            "learning": self.learning,
            "histories": [history.facts() for history in self.histories],
            "seconds": seconds,
        }
        return Checkpoint(tensors, facts)

    @classmethod
    def restore(cls, settings: Settings, checkpoint: Checkpoint, backend: str = "auto") -> Training:
        """The training as it was when the checkpoint was taken."""
        groups: dict[str, dict[str, Tensor]] = {
            group: {} for group in ("kept", "weights", "optimizer", "course", "chosen", "noise", "carried")
        }
        for name, tensor in checkpoint.tensors.items():
            group, _, own = name.partition(":")
            groups[group][own] = tensor
        training, facts = cls(settings, backend), checkpoint.facts
        training.taken = facts["taken"]
        training.learning = list(facts["learning"])
        training.histories = [History.of(own) for own in facts["histories"]]
        training.kept = groups["kept"]
        if not training.over:
            training._resume(groups)
        return training

    def _resume(self, groups: Mapping[str, Mapping[str, Tensor]]) -> None:
        self.course.restore(groups["course"])
        self.chosen.restore(groups["chosen"])
        self.generators = generators_at(groups["noise"]["generators"])
        if carried := groups["carried"]:
            names = self.model.recurrent.cell.states
            self.carried = make_state(names, [carried[name] for name in names])
        self._learn_from(groups["weights"], groups["optimizer"])

    def _count_steps(self) -> int:
        """How many steps the settings allow."""
        epochs, epoch = self.settings.epochs, self.course.epoch
        limits = [self.settings.steps] if self.settings.steps else []
        if epochs is not None and epoch is not None:
            limits.append(epochs * epoch)
        if not limits:
            raise OptionError(f"The task {self.settings.task} has no epochs with these options.\nGive steps.")
        return min(limits)

    def _learn_from(self, weights: Mapping[str, Tensor], optimizer: Mapping[str, Tensor]) -> None:
        settings = self.settings
        self.model = self._load(weights)
        self.model.draw_from(self.generators if settings.is_noisy else None)
        self.at_rest = _AtRest(self.model) if settings.is_noisy else nullcontext()
        self.flat = Flat(self.model)
        self.steady = SteadyModel(self.model, self.flat, self.problem.loss)
        self.optimizer = make_optimizer(
            settings.optimizer,
            [self.flat.whole],
            settings.learning_rate,
            settings.weight_decay,
            settings.optimizer_options,
        )
        restore_optimizer(self.optimizer, self.flat, optimizer)
        self._take_step = stepping(self.optimizer, self.flat)

    def _load(self, weights: Mapping[str, Tensor]) -> SequenceModel:
        model = load_replicas(self.settings, weights)
        model.recurrent.backend = self.backend
        return model

    def _learn_along(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """As `SteadyModel.learn`, from the states that the batch before has come to, if this one goes on there."""
        answers, state = self.model.run(batch.x, batch.lengths, self.carried if batch.goes_on else None)
        losses = self.problem.loss(answers, batch.target)
        self.flat.gradient.zero_()
        losses.sum().backward()
        self.carried = type(state)(*map(Tensor.detach, state))
        return answers.detach(), losses.detach()

    def _clip(self) -> None:
        if self.settings.clip_value is not None:
            self.flat.gradient.clamp_(-self.settings.clip_value, self.settings.clip_value)
        if self.settings.clip is not None:
            clip_norms(self.model, self.settings.clip)

    def _set_rate(self) -> None:
        settings = self.settings
        if settings.schedule == "constant" and not settings.warmup:
            return
        share = rate_at(self.taken, self.steps, settings.schedule, settings.final_rate, settings.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = settings.learning_rate * share

    def _look(self, last: bool) -> list[bool]:
        """Looks at the validation data if it is time; which replicas have lost their patience."""
        validation = self.problem.validation
        if validation is None or (self.taken % self.look_every and not last):
            return [False] * len(self.learning)
        with torch.no_grad(), self.at_rest:
            values = validation.score(self.model)
        self.chosen.offer(self.taken, values, validation.best, weights_of(self.model))
        for replica, value in zip(self.learning, values.tolist(), strict=True):
            self.histories[replica].add_look(self.taken, value)
        patience = self.settings.patience
        return [patience is not None and waited >= patience for waited in self.chosen.waited.tolist()]

    def _scores(self) -> list[float]:
        return self.problem.score(self.seen.answers, self.seen.target).tolist()

    def _record(self, ended: list[bool]) -> None:
        """Adds a point to the curves, 16 to each doubling of the steps, and one where a replica ends."""
        due = self.taken % (1 << max(0, self.taken.bit_length() - 5)) == 0
        if not due and not any(ended):
            return
        rows = zip(self.learning, self.seen.losses, self._scores(), ended, strict=True)
        for replica, loss, score, its_last in rows:
            if due or its_last:
                self.histories[replica].add_point(self.taken, loss, score)

    def _retire(self, ended: list[bool], reached: list[bool], tired: list[bool], sound: list[bool]) -> None:
        """Keeps the weights of the replicas that have ended and goes on with the others."""
        weights, learning = weights_of(self.model), self.learning
        still_sound = finite(weights).tolist()
        gone = [row for row, is_over in enumerate(ended) if is_over]
        best = self.chosen.weights
        for row in gone:
            replica, diverged = learning[row], not (sound[row] and still_sound[row])
            end: End = "diverged" if diverged else "goal" if reached[row] else "patience" if tired[row] else "steps"
            self.histories[replica].close(end, self.taken, int(self.chosen.steps[row]) if best else self.taken)
        for name, tensor in (best or weights).items():
            self.kept[name][[learning[row] for row in gone]] = tensor[gone]
        rest = torch.tensor([row for row, is_over in enumerate(ended) if not is_over], dtype=torch.long)
        self.learning = [learning[row] for row in rest.tolist()]
        if not self.over:
            self.course.keep(rest)
            self.chosen.keep(rest)
            self.generators = [self.generators[row] for row in rest.tolist()]
            if self.carried is not None:
                self.carried = type(self.carried)(*(state[rest] for state in self.carried))
            self._learn_from(select(weights, rest), select(optimizer_state(self.optimizer, self.flat), rest))
