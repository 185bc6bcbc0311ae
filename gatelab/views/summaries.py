"""A model's layers in a table: what each gives on, and how many numbers it learns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from gatelab.nn.models import SequenceModel
from gatelab.views.tables import TableText


@dataclass(frozen=True)
class Layer:
    """One layer of a model.

    Attributes:
        name: in words.
        output: the shape of what it gives on, with T time and B batch.
        learned: how many numbers it learns, of one replica.
        given: how many it has that are not learned.
    """

    name: str
    output: str
    learned: int
    given: int = 0


@dataclass(frozen=True)
class Summary:
    """The layers of a model in their order, and the numbers of all of them."""

    layers: tuple[Layer, ...]
    learned: int
    given: int


def summarise_model(model: SequenceModel) -> Summary:
    """The layers of one replica of a model. Tied weights count where they are first, with the vectors."""
    layers = tuple(_layers(model))
    return Summary(layers, sum(layer.learned for layer in layers), sum(layer.given for layer in layers))


def summary_table(model: SequenceModel) -> TableText:
    """A row a layer, and one for all."""
    return draw_summary(summarise_model(model))


def draw_summary(summary: Summary) -> TableText:
    """The table of a summary."""
    rows = tuple((f"{layer.learned + layer.given:,}", layer.name, layer.output) for layer in summary.layers)
    total = summary.learned + summary.given
    given = f" {summary.given:,} more are given and stay." if summary.given else ""
    return TableText(
        title="The model",
        headings=("parameters", "layer", "output"),
        sections=(rows, ((f"{total:,}", "in all", ""),)),
        caption=(f"{summary.learned:,} parameters are learned.{given} T: time, B: batch.",),
    )


def _layers(model: SequenceModel) -> Iterator[Layer]:
    replicas = model.replicas or 1
    if model.embedding is None:
        yield Layer("input", _shape(model.inputs.size), 0)
    else:
        table, tokens = model.embedding.weight, model.embedding.count
        name, output = f"vectors of {tokens:,} tokens", _shape(model.inputs.size)
        if table.requires_grad:
            yield Layer(name, output, table.numel() // replicas)
        else:
            yield Layer(name, output, 0, given=table.numel())
    recurrent = model.recurrent
    parameters = dict(recurrent.named_parameters())
    for depth in range(recurrent.num_layers):
        own = [tensor for name, tensor in parameters.items() if name.removesuffix("_reverse").endswith(f"_l{depth}")]
        both = ", both ways" if recurrent.bidirectional else ""
        yield Layer(recurrent.cell.name + both, _shape(recurrent.output_size), _count(own) // replicas)
    head, is_tied = model.head, model.embedding is not None and model.head.weight is model.embedding.weight
    wide = head.bias.shape[-1]
    learned = _count([head.bias] if is_tied else [head.weight, head.bias]) // replicas
    output = _shape(wide) if model.reads == "every" else f"(B, {wide:,})"
    yield Layer("linear, tied to the vectors" if is_tied else "linear", output, learned)


def _shape(width: int) -> str:
    return f"(T, B, {width:,})"


def _count(tensors: Sequence[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)
