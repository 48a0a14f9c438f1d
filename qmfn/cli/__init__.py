"""The command lines; each module is one command, `scripts/` holds a door to each."""
