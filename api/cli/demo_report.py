"""What the demo shows: how much arrived, by model, what was slowest, and where to look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.cli.client import Client
from api.cli.output import Column, Row, positive_style, print_table, status_style
from api.cli.ports import address
from api.cli.query import rfc3339
from api.cli.text import count, duration, moment
from api.demo import Summary
from schemas.settings import Settings

_WINDOW = "start_time >= {first:DateTime64(6, 'UTC')} AND start_time <= {last:DateTime64(6, 'UTC')}"
_TOTALS = (
    "SELECT uniqExact(trace_id) AS traces, count() AS spans, countIf(kind = 'llm') AS model_calls, "
    "sumIf(total_tokens, usage_counted) AS tokens, countIf(status = 'error') AS errors, "
    f"uniqExactIf(session_id, session_id != '') AS sessions, uniqExactIf(user_id, user_id != '') AS users FROM spans WHERE {_WINDOW}"
)
_MODELS = (
    "SELECT if(request_model != '', request_model, response_model) AS model, count() AS calls, sum(input_tokens) AS input_tokens, "
    "sum(output_tokens) AS output_tokens, countIf(status = 'error') AS errors, quantileExact(0.5)(duration_ms) AS p50 "
    f"FROM spans WHERE {_WINDOW} AND kind IN ('llm', 'embedding') GROUP BY model ORDER BY calls DESC"
)
_SLOWEST = (
    "SELECT trace_id, name, status, duration_ms, span_count, total_tokens, start_time FROM traces "
    f"WHERE {_WINDOW} ORDER BY duration_ms DESC LIMIT 5"
)
_ARRIVED = (
    Column("", "what"),
    Column("sent", "sent", count, right=True),
    Column("arrived", "arrived", count, right=True),
)
_BY_MODEL = (
    Column("model", "model"),
    Column("calls", "calls", count, right=True),
    Column("input tokens", "input_tokens", count, right=True),
    Column("output tokens", "output_tokens", count, right=True),
    Column("errors", "errors", count, right=True, style=positive_style),
    Column("median", "p50", duration, right=True),
)
_SLOW = (
    Column("slowest traces", "trace_id"),
    Column("name", "name"),
    Column("status", "status", style=status_style),
    Column("duration", "duration_ms", duration, right=True),
    Column("spans", "span_count", count, right=True),
    Column("tokens", "total_tokens", count, right=True),
    Column("time (UTC)", "start_time", moment, extra=True),
)


def print_report(client: Client, settings: Settings, summary: Summary, seconds: float) -> None:
    """Prints it."""
    window = {"first": _clickhouse(rfc3339(summary.first)), "last": _clickhouse(rfc3339(summary.last))}
    (totals,) = _rows(client, _TOTALS, window)
    slowest = _rows(client, _SLOWEST, window)
    sent = {
        "traces": summary.traces,
        "spans": summary.spans,
        "tokens": summary.total_tokens,
        "errors": summary.errors,
        "sessions": summary.sessions,
        "users": summary.users,
    }
    print(f"Six hours of a small shop's traffic, sent and readable {seconds:.0f} s after the start:\n")
    arrived = [{"what": name, "sent": number, "arrived": totals[name]} for name, number in sent.items()]
    print_table(_ARRIVED, arrived, drawn=True)
    print()
    print_table(_BY_MODEL, _rows(client, _MODELS, window), drawn=True)
    print()
    print_table(_SLOW, slowest, drawn=True)
    print(f"\n{_addresses(settings)}\n\n{_examples(client, settings, slowest)}", flush=True)


def _rows(client: Client, query: str, parameters: Mapping[str, Any]) -> list[Row]:
    rows: list[Row] = client.send(
        "POST", client.path("sql"), body={"query": query, "parameters": parameters}
    ).json()["data"]
    return rows


def _clickhouse(time: str) -> str:
    """An RFC 3339 time as ClickHouse reads parameters."""
    return time.replace("T", " ").removesuffix("Z")


def _addresses(settings: Settings) -> str:
    grpc = address(settings, "otlp_grpc_port").partition("://")[2]
    return (
        f"API        {address(settings)}   (described at {address(settings)}/api/v1/openapi.json)\n"
        f"OTLP/HTTP  {address(settings, 'otlp_http_port')}\n"
        f"OTLP/gRPC  {grpc}"
    )


def _examples(client: Client, settings: Settings, slowest: list[Row]) -> str:
    """Commands to try, as they are typed against this server."""
    prefix = "" if settings.api_port == Settings().api_port else f"EVALSTREAM_URL={client.address} "
    trace = slowest[0]["trace_id"] if slowest else "TRACE_ID"
    return (
        "Send your own application's traces:\n"
        f"  export OTEL_EXPORTER_OTLP_ENDPOINT={address(settings, 'otlp_http_port')}\n"
        "Look around:\n"
        f"  {prefix}evalstream traces --filter 'error_count > 0'\n"
        f"  {prefix}evalstream trace {trace}\n"
        f'  {prefix}evalstream sql "SELECT request_model, sum(total_tokens) FROM spans WHERE usage_counted GROUP BY 1"\n'
        f"  {prefix}evalstream reconcile"
    )
