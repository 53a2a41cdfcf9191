"""What the plugin's documentation says its macros become."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.dashboards import ALL, Window, sent

WINDOW = Window(datetime.fromtimestamp(1415792726, UTC), datetime.fromtimestamp(1447328726, UTC), 20)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("$__timeFilter(time)", "time >= toDateTime(1415792726) AND time <= toDateTime(1447328726)"),
        ("$__timeInterval(column)", "toStartOfInterval(toDateTime(column), INTERVAL 20 second)"),
        ("$__fromTime, $__toTime", "toDateTime(1415792726), toDateTime(1447328726)"),
        ("INTERVAL $__interval_s second", "INTERVAL 20 second"),
        ("d IN (${d:singlequote})", "d IN ('db1','it\\'s')"),
        ("$__conditionalAll(d IN (${d:singlequote}), $d)", "d IN ('db1','it\\'s')"),
        (
            "$__conditionalAll(t IN (${t:singlequote}), $t) AND $__conditionalAll(f(a, (1)), $d)",
            "1=1 AND f(a, (1))",
        ),
        ("'$d'", "'db1,it's'"),
    ],
)
def test_a_macro_becomes_what_the_documentation_says(written: str, text: str) -> None:
    assert sent(written, WINDOW, {"d": ["db1", "it's"], "t": [ALL]}) == text


@pytest.mark.parametrize("written", ["$__unheardOf(time)", "${nothing}", "$nothing"])
def test_what_does_not_exist_is_an_error(written: str) -> None:
    with pytest.raises(KeyError):
        sent(written, WINDOW, {})
