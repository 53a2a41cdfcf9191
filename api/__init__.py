"""Query API, SQL, console, command line, composition roots."""
