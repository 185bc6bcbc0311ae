"""One training step of gatelab's layers beside torch's, in one process: medians and ratios.

A step is forward and backward of the last output's sum, with the gradients of the input and all weights, float32.
Run it with nothing else running: `make bench`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.benchmark import Timer

import gatelab as gl

SIZES = {
    "parity": (64, 8, 1, 3),
    "digits": (100, 8, 8, 30),
    "imdb-small": (128, 300, 15, 10),
    "mnist-rows": (150, 28, 28, 150),
    "char": (50, 50, 128, 128),
    "one sequence": (1, 200, 32, 64),
}
"""Batch, steps, input, hidden."""

SECONDS = 1.0
"""For each measurement, after a warm-up."""


def step_time(layer: nn.Module, x: Tensor) -> float:
    """The median time of a training step, in ms."""

    def step() -> None:
        output, _ = layer(x)
        output[-1].sum().backward()

    return Timer("step()", globals={"step": step}, num_threads=torch.get_num_threads()).blocked_autorange(
        min_run_time=SECONDS
    ).median * 1e3  # fmt: skip


def main() -> None:
    makers: dict[str, Callable[[int, int], nn.Module]] = {
        "torch LSTM": nn.LSTM,
        "lstm": lambda i, h: gl.Recurrent("lstm", i, h),
        "f": lambda i, h: gl.Recurrent("f", i, h),
    }
    table = Table(title=f"Training step, median ms, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for column in ("name", "B, T, I, H", *makers, "torch LSTM / lstm", "torch LSTM / f"):
        table.add_column(column, justify="left" if column == "name" else "right")
    for name, (batch, steps, inputs, hidden) in SIZES.items():
        torch.manual_seed(0)
        x = torch.randn(steps, batch, inputs, requires_grad=True)
        times = {title: step_time(make(inputs, hidden), x) for title, make in makers.items()}
        ratios = [f"{times['torch LSTM'] / times[title]:.2f}x" for title in ("lstm", "f")]
        table.add_row(name, f"{batch}, {steps}, {inputs}, {hidden}", *(f"{t:.2f}" for t in times.values()), *ratios)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
