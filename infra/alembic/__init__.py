"""Migrations of the relational database, run by infra/database_schema.py: numbered, forward only."""
