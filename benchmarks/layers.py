"""One training step of gatelab's layers beside torch's, in one process: medians and ratios.

A step is forward and backward of a weighted sum of all outputs, with the gradients of the input and all weights, in
float32. The layers take turns, so that a busy moment of the machine meets all of them. Run it with nothing else
running: `make bench`, or `python benchmarks/layers.py --threads 2`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import gatelab as gl

SIZES = {
    "parity": (64, 8, 1, 3),
    "digits": (100, 8, 8, 30),
    "imdb-small": (128, 300, 15, 10),
    "imdb-glove": (512, 250, 50, 64),
    "mnist-rows": (150, 28, 28, 150),
    "char": (50, 50, 128, 128),
}
"""Batch, steps, input, hidden."""

LAYERS: dict[str, Callable[[int, int], nn.Module]] = {
    "nn.LSTM": nn.LSTM,
    "lstm, cpu": lambda i, h: gl.Recurrent("lstm", i, h, backend="cpu"),
    "lstm, eager": lambda i, h: gl.Recurrent("lstm", i, h, backend="eager"),
    "f, cpu": lambda i, h: gl.Recurrent("f", i, h, backend="cpu"),
    "f, eager": lambda i, h: gl.Recurrent("f", i, h, backend="eager"),
}
RATIOS = (("nn.LSTM", "lstm, cpu"), ("lstm, eager", "lstm, cpu"), ("f, eager", "f, cpu"))

WARM_UP, FEWEST, MOST, SECONDS = 2, 3, 1500, 6.0
"""Turns before and while it is measured, and how long that takes for each size."""


def turn(layer: nn.Module, x: Tensor, weights: Tensor) -> float:
    """The time of one training step, in ms."""
    began = time.perf_counter()
    output, _ = layer(x)
    (output * weights).sum().backward()
    return (time.perf_counter() - began) * 1e3


def measure(batch: int, steps: int, inputs: int, hidden: int) -> dict[str, float]:
    """The median time of a training step of each layer, in ms."""
    torch.manual_seed(0)
    x = torch.randn(steps, batch, inputs, requires_grad=True)
    weights = torch.randn(steps, batch, hidden)
    layers = {name: make(inputs, hidden) for name, make in LAYERS.items()}
    times: dict[str, list[float]] = {name: [] for name in layers}
    for _ in range(WARM_UP):
        for layer in layers.values():
            turn(layer, x, weights)
    began = time.perf_counter()
    for count in range(MOST):
        if count >= FEWEST and time.perf_counter() - began > SECONDS:
            break
        for name, layer in layers.items():
            times[name].append(turn(layer, x, weights))
    return {name: median(found) for name, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Training steps of gatelab's layers beside torch's.")
    parser.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(parser.parse_args().threads)
    title = f"Training step, median ms; {torch.get_num_threads()} threads, torch {torch.__version__}"
    table = Table(title=title, title_justify="left")
    for column in ("name", "B, T, I, H", *LAYERS, *(f"{a} / {b}" for a, b in RATIOS)):
        table.add_column(column, justify="left" if column == "name" else "right")
    for name, sizes in SIZES.items():
        times = measure(*sizes)
        ratios = [f"{times[a] / times[b]:.2f}" for a, b in RATIOS]
        table.add_row(name, ", ".join(map(str, sizes)), *(f"{t:.2f}" for t in times.values()), *ratios)
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
