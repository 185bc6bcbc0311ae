"""The command line, called as the shell calls it."""

import pytest

from gatelab.cli.main import main


@pytest.fixture
def command(capfd):
    """Runs `gatelab` with some words; its exit code, output and error output, and nothing that came before."""

    def run(*words):
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main(words)
        out, err = capfd.readouterr()
        return end.value.code or 0, out, err

    return run
