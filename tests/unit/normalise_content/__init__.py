"""Tests of the nested content of spans and log records."""
