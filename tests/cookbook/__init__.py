"""The SQL cookbook's recipes, a project to run them on, and what each must answer."""
