"""The command line: `gatelab`, a file a command."""
