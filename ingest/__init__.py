"""OTLP receivers: from the wire to the event log."""
