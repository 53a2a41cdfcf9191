"""The transports of ingest, without a receiver behind them."""
