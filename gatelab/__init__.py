"""gatelab: write a recurrent cell as its equations, train it, look inside its gates."""

from gatelab import nn
from gatelab.language.cell import Cell
from gatelab.language.lookup import cells
from gatelab.language.lookup import find_cell as cell
from gatelab.nn.recurrent import Recurrent

__all__ = ["Cell", "Recurrent", "cell", "cells", "nn"]
__version__ = "0.1.0"
