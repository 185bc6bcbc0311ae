"""The backends by name, and which one `auto` takes."""

from __future__ import annotations

from gatelab.backends import eager
from gatelab.backends.base import Backend
from gatelab.errors import OptionError, nearest

BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (eager.BACKEND,)}


def choose(name: str) -> tuple[Backend, str]:
    """The backend of a name, and why.

    Raises:
        OptionError: there is no such backend.
    """
    if name == "auto":
        return eager.BACKEND, "it is the only one that is installed"
    if name not in BACKENDS:
        raise OptionError(f"There is no backend '{name}'.\n{nearest(name, [*BACKENDS, 'auto'])}")
    return BACKENDS[name], f"backend='{name}' was asked for"
