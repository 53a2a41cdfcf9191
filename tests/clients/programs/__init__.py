"""The client programs: each runs by itself in the environment of its SDK, and knows nothing of Evalstream."""
