"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]
Threads = Annotated[
    int,
    typer.Option(
        min=1,
        help="Threads in each process. With several seeds or a large model more are faster; one small model gains "
        "nothing from them, and loses much on a busy machine.",
    ),
]

Workers = Annotated[
    int | None,
    typer.Option(min=1, help="So many runs at a time, each in a process of its own; else as the cores allow."),
]

Option = Annotated[
    list[str] | None, typer.Option("--option", "-o", help="An option of the task, as in order=permuted.")
]

Backend = Annotated[
    str,
    typer.Option(help="What computes the layers: auto, cpu, eager or torch. Results agree but for rounding."),
]

# Of studies.
Seeds = Annotated[int | None, typer.Option(min=1, help="So many seeds, from 0 on.")]
Steps = Annotated[int | None, typer.Option(min=1, help="At most so many steps on every task.")]
Quick = Annotated[bool, typer.Option("--quick", help="The study's smaller look at itself.")]
StudyFolders = Annotated[Path, typer.Option(help="Where the study's folder is made.")]
Page = Annotated[bool, typer.Option(help="Whether to write a page for each part, some 5 MB.")]
