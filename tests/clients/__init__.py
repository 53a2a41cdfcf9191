"""Live clients: real SDKs against a running Evalstream."""
