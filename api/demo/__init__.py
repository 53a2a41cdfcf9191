"""A demo that looks like life: a small shop's RAG assistant and support agent, really instrumented, sending real OTLP.

`run` is the entry point. The applications, their model service and their customers are in this folder; each kind of traffic is a file
in `scenarios/`. Importing this package imports none of the SDKs that the demo needs (the extra `evalstream[demo]`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from api.demo.summary import Summary
from schemas.errors import StartupError

__all__ = ["Summary", "run"]


def run(
    endpoint: str,
    *,
    seed: int = 7,
    now: datetime | None = None,
    traces: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Summary:
    """Sends `traces` traces of the last six hours before `now` to the OTLP/HTTP endpoint (such as http://127.0.0.1:4318).

    The same `seed` and `now` send the same spans, ids and times. `headers` go with every request (a key, a project).

    Raises:
        StartupError: the demo's SDKs are not installed.
        Unavailable: the endpoint did not take every span.
    """
    try:
        # the SDKs take seconds to import, and come with an extra
        from api.demo.traffic import run_traffic  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise StartupError(
            f"the demo needs its SDKs ({error.name} is missing): pip install 'evalstream[demo]'"
        ) from error
    return run_traffic(endpoint, seed=seed, now=now, traces=traces, headers=headers)
