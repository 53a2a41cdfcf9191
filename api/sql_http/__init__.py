"""The ClickHouse HTTP protocol (port 8123): the tools that speak it read one project, and nothing else.

Source: ClickHouse's documentation "HTTP Interface", and what its clients send in fact (tests/clients/sql).
"""
