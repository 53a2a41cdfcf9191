"""Decoder and normaliser under random input."""
