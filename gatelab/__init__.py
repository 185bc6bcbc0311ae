"""gatelab: write a recurrent cell as its equations, train it, look inside its gates."""

from gatelab import nn
from gatelab.language.cell import Cell
from gatelab.language.lookup import cells
from gatelab.language.lookup import find_cell as cell
from gatelab.nn.inputs import Features, Tokens
from gatelab.nn.models import SequenceModel
from gatelab.nn.recurrent import Recurrent
from gatelab.nn.saving import load, save
from gatelab.probes.probe import probe

__all__ = ["Cell", "Features", "Recurrent", "SequenceModel", "Tokens", "cell", "cells", "load", "nn", "probe", "save"]
__version__ = "0.1.0"
