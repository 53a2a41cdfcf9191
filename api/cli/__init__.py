"""The command line. `main` parses and reports; each command is a function in a module of its own, imported only when it runs.

Nothing here imports anything slow at module level except the modules that commands name in `commands.COMMANDS`: `--help` must
answer in a moment.
"""
