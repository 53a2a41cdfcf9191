"""The process's own log lines, on stderr: text for people or one JSON object a line for collectors."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import orjson

from schemas.settings import Settings

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_QUIET = ("alembic", "uvicorn.error", "httpx")
"""Libraries whose good news are no news here."""


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the traceback as `error`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def configure_logging(settings: Settings) -> None:
    """Applies `EVALSTREAM_LOG_LEVEL` and `EVALSTREAM_LOG_FORMAT`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if settings.log_format == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
