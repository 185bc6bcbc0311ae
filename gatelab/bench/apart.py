"""Measuring in a process of its own, where nothing has happened yet."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from gatelab.errors import GatelabError

PROGRAM = "import json, sys\narguments = json.loads(sys.argv[1])\n{}\nprint(json.dumps(answer))"


class ApartError(GatelabError):
    """A process that was started to measure something has failed."""


def run_apart(program: str, **arguments: object) -> Any:
    """What a program calls `answer`, in a fresh process of this Python; it finds the arguments in `arguments`.

    Raises:
        ApartError: the process fails; with the last line that it wrote.
    """
    words = [sys.executable, "-c", PROGRAM.format(program), json.dumps(arguments)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ApartError((done.stderr.strip().splitlines() or [f"It ended with {done.returncode}."])[-1])
    return json.loads(done.stdout.splitlines()[-1])
