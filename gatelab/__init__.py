"""gatelab: write a recurrent cell as its equations, train it, look inside its gates."""

from gatelab.language.cell import Cell

__all__ = ["Cell"]
__version__ = "0.1.0"
