"""The SQL endpoint as real drivers see it."""
