"""Benchmarks, one a file, each beside a peer or a bare limit: `make bench ARGS='name …'`."""
