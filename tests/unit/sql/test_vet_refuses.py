"""What the judge refuses, and that it says why."""

from __future__ import annotations

import pytest

from api.sql.vet import Vetter
from schemas.errors import InvalidQuery
from tests.unit.sql.attacks import ATTACKS

CASES = [
    pytest.param(text, reason, id=f"{reason}-{n}")
    for reason, texts in ATTACKS.items()
    for n, text in enumerate(texts)
]
PARAMETERS = {"x": "secret"}


@pytest.mark.parametrize(("text", "reason"), CASES)
def test_refused_with_its_reason(vetter: Vetter, text: str, reason: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        vetter.query(text, PARAMETERS)
    assert reason in refused.value.detail
    assert len(refused.value.detail) < 600


def test_there_are_enough_attacks() -> None:
    assert len(CASES) >= 120
