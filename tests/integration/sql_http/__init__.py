"""The SQL port as clients meet it: a real engine, real HTTP."""
