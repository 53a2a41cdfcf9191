"""Who comes when: conversations drawn by seed over the last hours, with the ups and downs of a day and a deployment in between."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from api.demo.shop import CUSTOMERS, Customer

WINDOW = timedelta(hours=6)
"""How far back the traffic begins."""
RELEASE_AT = 0.6
"""Where in the window the new releases go live (share of its length)."""
TROUBLE = (0.27, 0.33)
"""Where in the window the model service is in trouble: half of its answers are errors."""
STAGING_SHARE = 0.06


@dataclass(frozen=True, slots=True, order=True)
class Deployment:
    """One release of a service in an environment: what its resource attributes say."""

    service: str
    environment: str
    release: str


RELEASES = {"shop-assistant": ("2.7.1", "2.8.0"), "support-agent": ("1.4.2", "1.5.0")}
"""Each service's release before and after `RELEASE_AT`; staging always runs the new one."""


@dataclass(slots=True)
class Session:
    """A conversation of one customer with one service. `topic` chooses what it is about; `history` is what was said so far."""

    id: str
    customer: Customer
    topic: int
    staging: bool
    history: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Visit:
    """One turn of a session: a trace to be. `carrier` holds the trace context when another service began the trace."""

    at: datetime
    scenario: str
    session: Session
    turn: int
    deployment: Deployment
    carrier: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Share:
    """How often a scenario is drawn (a weight), by whom it is served, and how many turns its sessions have at most."""

    scenario: str
    service: str
    weight: float
    turns: int


def draw_visits(shares: Sequence[Share], *, seed: int, now: datetime, traces: int) -> list[Visit]:
    """Exactly `traces` visits that end before `now`, in order of time."""
    rng = Random(f"{seed}:plan")
    visits: list[Visit] = []
    while len(visits) < traces:
        visits.extend(_session(rng, rng.choices(shares, [share.weight for share in shares])[0], now))
    return sorted(visits[:traces], key=lambda visit: visit.at)


def _session(rng: Random, share: Share, now: datetime) -> Iterator[Visit]:
    session = Session(
        id=f"session-{rng.getrandbits(40):010x}",
        customer=rng.choice(CUSTOMERS),
        topic=rng.randrange(1_000_000),
        staging=rng.random() < STAGING_SHARE,
    )
    at = now - WINDOW + WINDOW * moment(rng)
    for turn in range(rng.randint(1, share.turns)):
        yield Visit(at, share.scenario, session, turn, deployment(share.service, session, at, now))
        # the last turns may not lie in the future: then the customer was quick
        at = min(at + timedelta(seconds=rng.uniform(25, 140)), now - timedelta(seconds=rng.uniform(20, 40)))


def deployment(service: str, session: Session, at: datetime, now: datetime) -> Deployment:
    """What serves this session at this time."""
    old, new = RELEASES[service]
    if session.staging:
        return Deployment(service, "staging", new)
    return Deployment(service, "production", old if place(at, now) < RELEASE_AT else new)


def place(at: datetime, now: datetime) -> float:
    """Where in the window a moment lies, 0 to 1."""
    return 1.0 - (now - at) / WINDOW


def in_trouble(at: datetime, now: datetime) -> bool:
    """Whether the model service is in trouble at this moment."""
    return TROUBLE[0] <= place(at, now) < TROUBLE[1]


def moment(rng: Random) -> float:
    """A place in the window, 0 to 0.995, drawn (by rejection) from two humps: before noon and in the evening."""
    while True:
        x = rng.random() * 0.995
        height = 0.25 + 0.75 * (0.9 * _hump(x, 0.3, 0.13) + _hump(x, 0.78, 0.11))
        if rng.random() < height:
            return x


def _hump(x: float, centre: float, width: float) -> float:
    return math.exp(-(((x - centre) / width) ** 2))
