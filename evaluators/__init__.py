"""Evaluators: judges, metrics, detectors."""
