"""The parts of the SQL port that need no engine."""
