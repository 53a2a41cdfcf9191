"""The demo's own time: it stands still except where somebody says that something took a while.

The telemetry SDKs stamp spans and events with the real time. The clock keeps a journal of its steps, so that afterwards every real
time can be told as demo time. So six hours of traffic take seconds, and the same seed gives the same times to the nanosecond.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

NANOSECONDS = 1_000_000_000


class DemoClock:
    """Demo time, moved by `set` and `spend` only; `at` translates real times. One thread moves it, any thread may translate."""

    def __init__(self, start: datetime, real_ns: Callable[[], int] = time.time_ns) -> None:
        self._real_ns = real_ns
        self._steps: list[int] = [0]
        self._times: list[int] = [nanoseconds(start)]

    def now_ns(self) -> int:
        """Demo time in nanoseconds since the epoch."""
        return self._times[-1]

    def now(self) -> datetime:
        """Demo time, UTC, to the microsecond."""
        return datetime.fromtimestamp(self.now_ns() // 1000 / 1e6, UTC)

    def seconds(self) -> float:
        """Demo time in seconds since the epoch."""
        return self.now_ns() / NANOSECONDS

    def set(self, moment: datetime) -> None:
        """Goes to this moment, earlier or later."""
        self._step(nanoseconds(moment))

    def spend(self, seconds: float) -> None:
        """Lets so much time pass."""
        self._step(self.now_ns() + round(seconds * NANOSECONDS))

    def at(self, real_ns: int) -> int:
        """Demo time, in nanoseconds since the epoch, at this real one."""
        return self._times[bisect_right(self._steps, real_ns) - 1]

    def _step(self, demo_ns: int) -> None:
        # the step gets a real time of its own, so that what is stamped just before it and just after it are told apart
        before = real = self._real_ns()
        while real <= before:
            real = self._real_ns()
        self._times.append(demo_ns)
        self._steps.append(real)


class Pace:
    """How long the model service says that it took, spent on the clock: the client's HTTP hook, and the loop over a stream."""

    def __init__(self, clock: DemoClock) -> None:
        self._clock = clock
        self._chunk_seconds = 0.0

    def spend_response(self, headers: Callable[[str, str], str | None]) -> None:
        """Spends what the response's headers say (milliseconds to its beginning), and keeps the pace of its stream."""
        self._clock.spend(float(headers("openai-processing-ms", "0") or 0) / 1000)
        self._chunk_seconds = float(headers("x-scripted-chunk-ms", "0") or 0) / 1000

    def spend_chunk(self) -> None:
        """Spends the time between two pieces of a stream."""
        self._clock.spend(self._chunk_seconds)


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds since the epoch, exact to the microsecond."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * NANOSECONDS + since.microseconds * 1000


def jitter(rng: Random, seconds: float) -> float:
    """About so many seconds, log-normal."""
    return seconds * rng.lognormvariate(0.0, 0.3)
