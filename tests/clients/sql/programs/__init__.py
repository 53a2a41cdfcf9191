"""One program a driver. All are called alike: QUERIES HOST PORT PROJECT KEY SCENARIO…

QUERIES is queries.json, so that every driver sends the same texts. Each program prints one JSON object a line for every
scenario that it is asked for: {"scenario", "seconds", "answer": {…}} or {"scenario", "seconds", "failure": "…"}. What an
answer holds is written down where it is judged, in tests/clients/sql/test_drivers.py.
"""
