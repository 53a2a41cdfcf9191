"""The byte budget, and bodies within it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.admission import Budget, Upload
from schemas.errors import EvalstreamError, Overloaded, TooLarge


def test_what_does_not_fit_takes_nothing() -> None:
    budget = Budget(100)
    budget.take(60)
    with pytest.raises(Overloaded) as refused:
        budget.take(41)
    assert (budget.used, refused.value.retry_after) == (60, 1)
    budget.take(40)
    budget.give(100)
    assert budget.used == 0


def test_what_is_announced_is_looked_at_and_not_taken() -> None:
    budget = Budget(100)
    upload = Upload(budget, 80)
    with pytest.raises(TooLarge):
        upload.announce(81)
    upload.announce(80)
    assert budget.used == 0
    budget.take(30)
    with pytest.raises(Overloaded):
        upload.announce(80)


@given(
    limit=st.integers(0, 50),
    room=st.integers(0, 50),
    bodies=st.lists(st.lists(st.binary(max_size=20), max_size=6), max_size=6),
)
def test_uploads_hold_what_they_hold_and_give_it_all_back(
    limit: int, room: int, bodies: list[list[bytes]]
) -> None:
    budget = Budget(room)
    uploads = []
    for chunks in bodies:
        upload = Upload(budget, limit)
        uploads.append(upload)
        try:
            for chunk in chunks:
                upload.add(chunk)
        except EvalstreamError as error:
            assert bytes(upload.body()) == b""
            fits = len(b"".join(chunks)) <= limit
            assert isinstance(error, Overloaded if fits else (Overloaded, TooLarge))  # noqa: PT017 — or none
        else:
            assert bytes(upload.body()) == b"".join(chunks)
        assert budget.used == sum(len(held.body()) for held in uploads) <= room
    for upload in uploads:
        upload.release()
        upload.release()
    assert budget.used == 0
