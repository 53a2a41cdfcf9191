"""Composition roots: the only files that import `infra`."""
