"""Tests of one room at a time, without a server."""
