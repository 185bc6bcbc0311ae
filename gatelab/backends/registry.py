"""The backends by name, and which one `auto` takes."""

from __future__ import annotations

from gatelab.backends import eager
from gatelab.backends.base import Backend
from gatelab.backends.cpu import backend as cpu
from gatelab.errors import OptionError, nearest

BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (eager.BACKEND, cpu.BACKEND)}


def choose(wanted: str | Backend) -> tuple[Backend, str]:
    """The backend of a name, or one of your own, and why it is taken.

    Raises:
        OptionError: there is no such backend.
    """
    if isinstance(wanted, Backend):
        return wanted, "it was given"
    if wanted == "auto":
        return (
            eager.BACKEND,
            "auto takes it everywhere in this version; backend='cpu' runs kernels made from the equations",
        )
    if not isinstance(wanted, str) or wanted not in BACKENDS:
        raise OptionError(f"There is no backend '{wanted}'.\n{nearest(str(wanted), [*BACKENDS, 'auto'])}")
    return BACKENDS[wanted], f"backend='{wanted}' was asked for"
