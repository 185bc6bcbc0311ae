"""A model that reads sequences: inputs, recurrent layers, and a head on the last output or on every one.

T time, B batch, I input, H hidden, O outputs, R replicas; the axis R is there only with `replicas`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Literal

import torch
from torch import Tensor, nn

from gatelab.errors import OptionError, ShapeError
from gatelab.language.cell import Cell
from gatelab.language.files import read_cell_text, write_cell
from gatelab.nn.dropout import add_noise, drop
from gatelab.nn.heads import Head, last_valid
from gatelab.nn.inputs import Embedding, Features, Inputs, Tokens
from gatelab.nn.recurrent import Recurrent

Reads = Literal["last", "every"]
"""Which outputs of the recurrent layers a head reads: the one after each sequence's last step, or all of them."""


class SequenceModel(nn.Module):
    """Inputs, recurrent layers and a linear head.

    Args:
        cell: a name of the catalogue, a path or a Cell.
        inputs: what it reads; a number stands for so many features.
        hidden_size: H.
        output_size: O.
        reads: which outputs the head reads.
        num_layers, bidirectional, dropout, recurrent_dropout, zoneout, init, widths, backend: as `Recurrent` takes
            them.
        variational: whether all dropout here and between layers holds one mask for all steps of a sequence.
        input_dropout: share of input features dropped in training.
        input_noise: deviation of the Gaussian noise added to input features in training, before any is dropped.
        output_dropout: share of features dropped before the head.
        tied: whether the head's weight is the table of vectors (Press & Wolf 2017), which must then be as wide as
            the layers' output.
        replicas: R, to train R of them in one call.
        head_init: how the head starts, a name of `HEAD_SCHEMES`.
        embedding_init: how vectors of tokens start, a name of `EMBEDDING_SCHEMES`.

    Raises:
        OptionError: an option that can't be.
    """

    DESCRIBED = (
        *("hidden_size", "output_size", "reads", "num_layers", "bidirectional", "dropout", "recurrent_dropout"),
        *("zoneout", "variational", "input_dropout", "input_noise", "output_dropout", "tied", "replicas", "widths"),
    )
    """The arguments that a description holds beside the cell and the inputs; the others are done when it is made."""

    def __init__(
        self,
        cell: str | PathLike[str] | Cell,
        inputs: Inputs | int,
        hidden_size: int,
        output_size: int,
        *,
        reads: Reads = "last",
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float | Mapping[str, float] = 0.0,
        variational: bool = False,
        input_dropout: float = 0.0,
        input_noise: float = 0.0,
        output_dropout: float = 0.0,
        tied: bool = False,
        replicas: int | None = None,
        init: object = None,
        head_init: str = "uniform",
        embedding_init: str = "normal",
        widths: Mapping[str, int] | None = None,
        backend: str = "auto",
    ) -> None:
        arguments = dict(locals())
        super().__init__()
        self.made_with = {name: arguments[name] for name in self.DESCRIBED}
        self.inputs = Features(inputs) if isinstance(inputs, int) else inputs
        self.reads = reads
        self.replicas = replicas
        self.variational = variational
        self.input_dropout, self.input_noise, self.output_dropout = input_dropout, input_noise, output_dropout
        for name, share in (("input_dropout", input_dropout), ("output_dropout", output_dropout)):
            if not 0 <= share < 1:
                raise OptionError(f"{name} is {share}.\nGive a share from 0 to below 1.")
        if not 0 <= input_noise < math.inf:
            raise OptionError(f"input_noise is {input_noise}.\nGive a deviation of at least 0.")
        self.embedding = (
            Embedding(self.inputs, replicas=replicas, init=embedding_init) if isinstance(self.inputs, Tokens) else None
        )
        self.recurrent = Recurrent(
            cell,
            self.inputs.size,
            hidden_size,
            num_layers,
            dropout=dropout,
            bidirectional=bidirectional,
            recurrent_dropout=recurrent_dropout,
            zoneout=zoneout,
            replicas=replicas,
            backend=backend,
            init=init,
            widths=widths,
            variational=variational,
        )
        self.head = Head(self.recurrent.output_size, output_size, replicas=replicas, init=head_init)
        if tied:
            self._tie()

    def description(self) -> dict[str, Any]:
        """All of the model but its numbers, as JSON can hold it."""
        inputs = self.inputs
        if isinstance(inputs, Features):
            read: dict[str, Any] = {"features": inputs.size}
        else:
            read = {"tokens": inputs.count, "size": inputs.size, "learned": inputs.learned}
        return {"cell": write_cell(self.recurrent.cell), "inputs": read, **self.made_with}

    @classmethod
    def described(cls, description: Mapping[str, Any], **others: Any) -> SequenceModel:
        """A model like the one described, its numbers drawn afresh; `others` stand in for what it says."""
        rest = {**description, **others}
        cell, read = rest.pop("cell"), rest.pop("inputs")
        if "features" in read:
            inputs: Inputs = Features(read["features"])
        else:
            inputs = Tokens(read["tokens"], read["size"], learned=read["learned"])
        return cls(read_cell_text(cell), inputs, rest.pop("hidden_size"), rest.pop("output_size"), **rest)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Answers of sequences: ([R,] B, O), or ([R,] T, B, O) if the head reads every output.

        Args:
            x: ([R,] T, B, I), or tokens ([R,] T, B).
            lengths: ([R,] B), if they are ragged.
        """
        return self.run(x, lengths)[0]

    def run(self, x: Tensor, lengths: Tensor | None = None, state: Any = None) -> tuple[Tensor, Any]:
        """Answers, and the states after the last step, from which the next call may go on.

        Raises:
            ShapeError: as `Recurrent` has it.
        """
        output, state = self.recurrent(self.read_in(x), state, lengths)
        return self.read_out(output, state, lengths), state

    def read_in(self, x: Tensor) -> Tensor:
        """What the recurrent layers read, ([R,] T, B, I), of inputs as in `forward`."""
        if self.embedding is not None:
            x = self._look_up(x)
        if self.training and (self.input_dropout or self.input_noise):
            x = self._disturb(x)
        return x

    def read_out(self, output: Tensor, state: Any, lengths: Tensor | None) -> Tensor:
        """Answers, as in `forward`, of what the recurrent layers gave."""
        answers: Tensor = self.head(self.read_by_head(output, state, lengths))
        return answers

    def read_by_head(self, output: Tensor, state: Any, lengths: Tensor | None) -> Tensor:
        """What the head reads of that, ([R,] B, W), or ([R,] T, B, W) if it reads every output."""
        if self.reads == "last":
            output = self._last(output, state, lengths)
        if self.training and self.output_dropout:
            output = self._drop(output, self.output_dropout, over_time=self.reads == "every")
        return output

    def draw_from(self, generators: Sequence[torch.Generator] | None) -> None:
        """Has all dropout and noise drawn from these, one a replica; None for torch's own generator."""
        self.recurrent.generators = generators

    def _look_up(self, tokens: Tensor) -> Tensor:
        assert self.embedding is not None
        if tokens.ndim not in (2, 3):
            raise ShapeError(f"Tokens have shape {tuple(tokens.shape)}.\nGive (T, B), or (R, T, B) with replicas.")
        if self.replicas is not None and tokens.ndim == 2 and self.embedding.weight.ndim == 3:
            tokens = tokens.expand(self.replicas, -1, -1)
        found: Tensor = self.embedding(tokens)
        return found

    def _disturb(self, x: Tensor) -> Tensor:
        """Inputs with noise, and with some of their features dropped; ([R,] T, B, I)."""
        if self.replicas is not None and x.ndim == 3:  # What all replicas read is disturbed for each apart.
            x = x.expand(self.replicas, -1, -1, -1)
        if self.input_noise:
            x = add_noise(x, self.input_noise, self.recurrent.generators, replicas_at=0)
        return self._drop(x, self.input_dropout, over_time=True) if self.input_dropout else x

    def _drop(self, values: Tensor, share: float, over_time: bool) -> Tensor:
        """Drops features of ([R,] T, B, W), or ([R,] B, W) without time."""
        held = values.ndim - 3 if over_time and self.variational else None
        return drop(values, share, self.recurrent.generators, replicas_at=0, held_at=held)

    def _last(self, output: Tensor, state: Any, lengths: Tensor | None) -> Tensor:
        """The output after each sequence's last step, ([R,] B, W)."""
        cell = self.recurrent.cell
        if cell.output not in cell.states:
            if self.recurrent.bidirectional:  # The backward layer has ended at the first step.
                forwards, backwards = last_valid(output, lengths).chunk(2, -1)[0], output[..., 0, :, :].chunk(2, -1)[1]
                return torch.cat([forwards, backwards], dim=-1)
            return last_valid(output, lengths)
        final = getattr(state, cell.output)  # Then the layer has picked it already.
        if not self.recurrent.bidirectional:
            return final.select(-3, -1)  # type: ignore[no-any-return]
        return torch.cat([final[..., -2, :, :], final[..., -1, :, :]], dim=-1)

    def _tie(self) -> None:
        own = None if self.embedding is None else self.embedding.weight
        if not isinstance(own, nn.Parameter) or own.shape != self.head.weight.shape:
            wide = tuple(self.head.weight.shape)
            table = None if own is None else tuple(own.shape)
            raise OptionError(
                f"The head, {wide}, can't be tied to the vectors, {table}.\n"
                "Tied weights need learned vectors of tokens as wide as the layers' output, and as many answers as "
                "tokens."
            )
        self.head.weight = own
