"""`python -m gatelab` is the command `gatelab`."""

from gatelab.cli.main import main

if __name__ == "__main__":
    main()
