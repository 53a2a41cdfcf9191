"""/healthz, /readyz and /metrics, outside of the versioned API."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response

from api.answers import answer
from api.counters import snapshot
from api.dependencies import Admin, InState
from api.models import Health, Ready
from api.prometheus import pipeline_metrics

router = APIRouter(tags=["health"])
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/healthz", response_model=Health)
async def health(state: InState) -> Response:
    """Liveness: the process answers."""
    return answer({"status": "ok", "version": state.context.version})


@router.get("/readyz", response_model=Ready, responses={503: {"model": Ready, "description": "Not ready"}})
async def ready(state: InState) -> Response:
    """Readiness: every listener of the process accepts; 503 with the reasons when not."""
    found = state.context.readiness()
    status = HTTPStatus.OK if found.ready else HTTPStatus.SERVICE_UNAVAILABLE
    return answer({"ready": found.ready, "reasons": found.reasons}, status)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(state: InState, _: Admin) -> Response:
    """Prometheus metrics of the pipeline. With authentication on it needs an admin key, for it names all projects."""
    text = pipeline_metrics(await snapshot(state.context.log)) + state.context.metrics()
    return Response(text, media_type=TEXT_FORMAT)
