"""One file a migration: vNNNN_what.py with `revision = "NNNN"`."""
