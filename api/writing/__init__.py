"""What the API appends to the event log: scores, deletions, imported spans."""
