"""Spans of every dialect as canonical columns."""
