"""Workers: from the event log to ClickHouse."""
