"""What was refused at the door goes back to the door that refused it: spans and log records, through a real receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ingest.auth import OpenDoor
from ingest.receive import OtlpReceiver
from ingest.service import OtlpRequest, Signal
from processors.dead_letters import DeadLetterWriter
from schemas.events import LOGS, SPANS
from tests import otlp
from tests.integration.api.harness import Api, Keeper, letter, rows_of

DAY = 86_400


@pytest.fixture
async def receiver(api: Api) -> AsyncIterator[OtlpReceiver]:
    context = api.context
    made = OtlpReceiver(context.log, OpenDoor(), context.projects, api.clock)
    api.resubmitted.receiver = made
    yield made
    await made.close()


async def refused(api: Api, receiver: OtlpReceiver, signal: Signal, body: bytes) -> str:
    """Sends what is refused whole; the id of its letter."""
    headers = {"x-evalstream-project": api.project}
    answer = await receiver.receive(OtlpRequest(signal, "protobuf", body, headers))
    assert answer.rejected == 1, answer.message
    await api.work(DeadLetterWriter(api.context.store))
    (found,) = await api.rows("/dead-letters")
    return str(found["id"])


async def test_a_log_record_goes_back_to_the_logs(api: Api, receiver: OtlpReceiver) -> None:
    keeper, writer = Keeper("span-writer", (SPANS, LOGS)), DeadLetterWriter(api.context.store)
    await api.work(keeper)
    await api.work(writer)
    ahead = int((api.clock.now().timestamp() + 2 * DAY) * 1e9)
    record = otlp.log("hello", "hi", trace_id="5" * 32, time=ahead)
    id = await refused(api, receiver, "logs", otlp.logs(record))
    assert (await api.get(f"/dead-letters/{id}"))["topic"] == LOGS
    problem = await api.post(f"/dead-letters/{id}/replay", None, 409)
    assert problem["detail"].startswith(
        "it was refused again (1 logs): observed_time_unix_nano lies more than"
    )
    assert await api.work(keeper) == []
    api.clock.turn(2 * DAY)
    try:
        await api.post(f"/dead-letters/{id}/replay", None)
        (done,) = await api.work(keeper)
    finally:
        api.clock.turn(-2 * DAY)
    (row,) = rows_of([done])
    assert (done.topic, row["project"], row["event_name"], row["trace_id"]) == (
        LOGS,
        api.project,
        "hello",
        "5" * 32,
    )
    assert (await api.get(f"/dead-letters/{id}"))["replayed"] is True


async def test_a_span_goes_back_to_the_spans(api: Api, receiver: OtlpReceiver) -> None:
    keeper, writer = Keeper("span-writer", (SPANS, LOGS)), DeadLetterWriter(api.context.store)
    await api.work(keeper)
    await api.work(writer)
    ahead = int((api.clock.now().timestamp() + 2 * DAY) * 1e9)
    id = await refused(api, receiver, "traces", otlp.traces(otlp.span("late", start=ahead)))
    api.clock.turn(2 * DAY)
    try:
        await api.post(f"/dead-letters/{id}/replay", None)
        (done,) = await api.work(keeper)
    finally:
        api.clock.turn(-2 * DAY)
    assert (done.topic, [row["name"] for row in rows_of([done])]) == (SPANS, ["late"])


@pytest.mark.parametrize(
    ("topic", "payload", "said"),
    [
        ("spans", b"no OTLP", "it was refused again: the body is no valid OTLP traces request"),
        ("logs", b"no OTLP", "it was refused again: the body is no valid OTLP logs request"),
        ("scores", b"", "nothing of the topic 'scores' comes through the receiver"),
    ],
)
async def test_what_cannot_be_taken_is_a_conflict(
    api: Api, receiver: OtlpReceiver, topic: str, payload: bytes, said: str
) -> None:
    api.context.store.insert("dead_letters", letter(api.project, "odd", "rejected", payload, topic=topic))
    problem = await api.post("/dead-letters/odd/replay", None, 409)
    assert problem["detail"].startswith(said)
