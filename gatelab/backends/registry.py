"""The backends by name, and which one `auto` takes."""

from __future__ import annotations

from dataclasses import replace

from gatelab.backends import eager, library
from gatelab.backends.base import Backend, Result, Run
from gatelab.backends.cpu import backend as cpu
from gatelab.errors import OptionError, nearest

BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (eager.BACKEND, cpu.BACKEND, library.BACKEND)}

ORDER = ("torch", "cpu", "eager")
"""What `auto` tries, one after the other: the first that can do a run does it, and `torch` only where it is faster."""


def pick(asked: Run) -> Backend:
    """The backend that `auto` takes for a run."""
    found = (BACKENDS[name] for name in ORDER if name != "torch" or library.is_faster(asked))
    return next(backend for backend in found if backend.why_not(asked) is None)


def against(asked: Run, chosen: Backend) -> dict[str, str]:
    """Why not the backends that come before the chosen one."""
    before = ORDER[: ORDER.index(chosen.name)]
    reasons = {name: BACKENDS[name].why_not(asked) for name in before}
    return {name: reason or "it was nowhere measured to be faster there" for name, reason in reasons.items()}


AUTO = Backend(
    name="auto",
    about="the first that can, of: " + ", ".join(ORDER),
    run=lambda asked: pick(asked).run(asked),
)


def _by_name(backend: Backend) -> Backend:
    """A backend that is asked for by name: what it can't do is an error, and nothing else does it instead."""

    def run(asked: Run) -> Result:
        reason = backend.why_not(asked)
        if reason is not None:
            raise OptionError(
                f"backend='{backend.name}' can't do this: {reason}.\nTake backend='auto', which finds one that can."
            )
        return backend.run(asked)

    return replace(backend, run=run)


CHOICES = {"auto": AUTO, **{name: _by_name(backend) for name, backend in BACKENDS.items()}}


def choose(wanted: str | Backend) -> Backend:
    """The backend of a name, or one of your own.

    Raises:
        OptionError: there is no such backend.
    """
    if isinstance(wanted, Backend):
        return wanted
    if not isinstance(wanted, str) or wanted not in CHOICES:
        raise OptionError(f"There is no backend '{wanted}'.\n{nearest(str(wanted), CHOICES)}")
    return CHOICES[wanted]


def explain(wanted: str | Backend, asked: Run) -> str:
    """Which backend does a run, why, and what would change it."""
    chosen = choose(wanted)
    if chosen is AUTO:
        chosen = pick(asked)
        why = f"auto takes the first that can, of {', '.join(ORDER)}"
        more = [f"Not {name}: {reason}." for name, reason in against(asked, chosen).items()]
    else:
        why = "it was given" if isinstance(wanted, Backend) else f"backend='{wanted}' was asked for"
        reason = chosen.why_not(asked)
        more = [] if reason is None else [f"But it can't: {reason}. Calls will raise an error; take backend='auto'."]
    return "\n".join([f"{chosen.name}: {chosen.about}.", f"Taken because {why}.", *more, *chosen.notes])
