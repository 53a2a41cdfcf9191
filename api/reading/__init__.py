"""Queries of the API over the store: trusted SQL in which everything that a person wrote is a parameter or a judged filter."""
