"""Every way in which callers are harmed or an attack is made, and the ordinary days on which no alert may fire."""

from collections.abc import Iterator

from extra_headers.dashboards.tuning import AlertName
from extra_headers.forwarding.policy.decision import Outcome, Reason
from extra_headers.forwarding.policy.identity import IdentityHeaderResult
from extra_headers.telemetry import contract
from tests.dashboards.days import Day, counter, once, vllm

ATTEMPT, ENUMERATION = AlertName.CREDENTIAL_OVERRIDE_ATTEMPT, AlertName.ENUMERATION
BLOCKED, MALFORMED = AlertName.BLOCKED_SPIKE, AlertName.MALFORMED_SPIKE
REJECTING, SOME = AlertName.REJECTING_CALLERS, AlertName.REJECTING_SOME_CALLERS
IDENTITY, UNREAD = AlertName.IDENTITY_MISSING, AlertName.UNREAD_FIELDS
DRIFT, ABSENT = AlertName.POLICY_DRIFT, AlertName.TELEMETRY_ABSENT

_HOUR, _DAY = 12, 288
"""Steps of five minutes."""


def harms() -> Iterator[Day]:
    """Yield each harm or attack. It begins after an hour and ends after three; its title is a row of the table."""
    yield from _rejections()
    yield from _stopped_headers()
    yield from _attacks()
    yield from _silence()


def _rejections() -> Iterator[Day]:
    day = Day("A policy rejects every caller of a busy server", firing={90: vllm(REJECTING, SOME, BLOCKED), 240: set()})
    for instance in ("a", "b"):
        day.requests(Outcome.CLEAN, counter((60, 5), (90, 0), (91, 5)), instance=instance)
        day.requests(Outcome.REJECTED, day.during(60, 150, 5), instance=instance)
        day.decisions(Reason.NOT_ALLOWED, day.during(60, 150, 5), instance=instance)
    yield day

    day = Day(
        "A policy rejects every caller of a quiet server, 20 requests in 10 minutes",
        firing={
            90: vllm(REJECTING, SOME),
            240: set(),
        },
    )
    for instance in ("a", "b"):
        day.requests(Outcome.CLEAN, counter((60, 1), (90, 0), (91, 1)), instance=instance)
        day.requests(Outcome.REJECTED, day.during(60, 150, 1), instance=instance)
        day.identity(IdentityHeaderResult.SENT, counter((241, 0)), instance=instance)
    yield day

    day = Day(
        "A policy rejects every caller of a nearly idle server, 12 requests an hour",
        firing={
            149: vllm(SOME),
            240: set(),
        },
    )
    for instance in ("a", "b"):
        day.requests(Outcome.CLEAN, counter((60, 0.1), (90, 0), (91, 0.1)), instance=instance)
        day.requests(Outcome.REJECTED, day.during(60, 150, 0.1), instance=instance)
        day.identity(IdentityHeaderResult.SENT, counter((241, 0)), instance=instance)
    yield day

    day = Day(
        "`set` answers 403 to everybody, with extra headers or without",
        firing={
            110: vllm(REJECTING, SOME, IDENTITY),
            240: set(),
        },
    )
    for instance in ("a", "b"):
        day.requests(Outcome.CLEAN, counter((60, 5), (90, 0), (91, 5)), instance=instance)
        day.requests(Outcome.REJECTED, day.during(60, 150, 50), instance=instance)
        day.identity(IdentityHeaderResult.SENT, counter((60, 50), (90, 0), (91, 50)), instance=instance)
        day.identity(IdentityHeaderResult.REJECTED, day.during(60, 150, 50), instance=instance)
    yield day

    day = Day(
        "Requests go out without an identity header that `set` used to add",
        firing={
            120: vllm(IDENTITY),
            240: set(),
        },
    )
    for instance in ("a", "b"):
        day.identity(IdentityHeaderResult.SENT, counter((60, 5), (90, 0), (91, 5)), instance=instance)
        day.identity(IdentityHeaderResult.OMITTED, day.during(60, 150, 5), instance=instance)
    yield day

    day = Day(
        "One client is broken: 23% of the requests are rejected",
        firing={
            149: vllm(SOME, MALFORMED),
            240: set(),
        },
    )
    day.requests(Outcome.REJECTED, day.during(60, 150, 3))
    day.decisions(Reason.TYPE, day.during(60, 150, 3))
    yield day


def _stopped_headers() -> Iterator[Day]:
    day = Day("A policy drops a header that callers need", firing={80: vllm(BLOCKED), 240: set()})
    for instance in ("a", "b"):
        day.requests(Outcome.FILTERED, day.during(60, 150, 5), instance=instance)
        day.decisions(Reason.NOT_ALLOWED, day.during(60, 150, 5), instance=instance)
    yield day

    day = Day("The same on a quiet server, 30 headers an hour", firing={140: vllm(BLOCKED), 240: set()})
    day.decisions(Reason.NOT_ALLOWED, day.during(60, 150, 0.5))
    yield day

    day = Day(
        "A client release sends malformed headers, or somebody smuggles",
        firing={
            80: vllm(MALFORMED),
            240: set(),
        },
    )
    day.decisions(Reason.VALUE, day.during(60, 150, 5))
    yield day

    day = Day("Callers use a field that nobody reads", firing={130: {(UNREAD, "", "prod")}, 240: set()})
    day.set(contract.UNREAD_FIELDS_TOTAL, day.during(60, 150, 0.2))
    yield day


def _attacks() -> Iterator[Day]:
    for reason, what in ((Reason.CREDENTIAL, "the provider's credential"), (Reason.OVERRIDE, "an identity header")):
        day = Day(f"One request tries to replace {what}", firing={59: set(), 61: vllm(ATTEMPT), 100: set()})
        day.decisions(reason, once(60, 1, 180))
        yield day

    day = Day("A caller spoofs client addresses or routes, again and again", firing={80: vllm(BLOCKED), 240: set()})
    day.decisions(Reason.CLIENT_IDENTITY, day.during(60, 150, 3))
    day.decisions(Reason.ROUTING, day.during(60, 150, 3))
    yield day

    day = Day(
        "The same for two days",
        steps=4 * _DAY,
        minutes=5,
        firing={2 * _DAY + hours * _HOUR: vllm(BLOCKED) for hours in (1, 6, 24, 47)},
    )
    day.decisions(Reason.ROUTING, counter((2 * _DAY, 0.5), (2 * _DAY + 1, 20)))
    yield day

    day = Day(
        "The same on a provider that is new, from its first minute",
        firing={minute: {(BLOCKED, "new", "prod")} for minute in (80, 150, 230)},
    )
    day.provider("new", life="-60 181", instance="a")
    day.decisions(Reason.ROUTING, counter("gone 60", (181, 5)), provider="new")
    yield day

    day = Day("Somebody walks through the reasons of the blocklist", firing={100: vllm(ENUMERATION), 240: set()})
    walked = (Reason.FRAMING, Reason.CLIENT_IDENTITY, Reason.ROUTING, Reason.ACCOUNT, Reason.GATEWAY, Reason.NAME)
    for minute, reason in enumerate(walked, start=60):
        day.decisions(reason, once(minute, 1, 180))
    yield day

    day = Day(
        "Somebody tries out the names of the blocklist, one each two minutes",
        firing={
            100: vllm(ENUMERATION),
            240: set(),
        },
    )
    day.decisions(Reason.GATEWAY, day.during(60, 100, 0.5))
    for position in range(20):
        day.names(Reason.GATEWAY, f"x-gateway-{position}", f"_x{60 + 2 * position} 1x{180 - 2 * position}")
    yield day


def _silence() -> Iterator[Day]:
    day = Day("One replica has another policy", firing={110: set(), 130: vllm(DRIFT), 240: set()})
    day.policy("vllm", "aaa", "1x59 stale _x89 1x90", instance="b")
    day.policy("vllm", "bbb", "_x60 1x89 stale", instance="b")
    yield day

    day = Day("One provider of a server loses its `module:` line", firing={65: set(), 75: vllm(ABSENT), 240: set()})
    for instance in ("a", "b"):
        day.policy("vllm", "aaa", "1x59 stale _x89 1x90", instance=instance)
    yield day

    day = Day("The add-on or its metrics are switched off", firing={75: {(ABSENT, "", "prod")}, 240: set()})
    for instance in ("a", "b"):
        for provider in ("vllm", "openai"):
            day.policy(provider, "aaa", "1x59 stale _x89 1x90", instance=instance)
    yield day

    day = Day(
        "A server is scraped no more",
        steps=_HOUR + 3 * _DAY + _HOUR,
        minutes=5,
        firing={
            _HOUR + 3 * _DAY - _HOUR: set(),
            _HOUR + 3 * _DAY + _HOUR: {(ABSENT, "", "prod")},
        },
    )
    for instance in ("a", "b"):
        day.replica(instance, life=f"{_HOUR} -{3 * _DAY + _HOUR}")
    yield day

    day = Day("The rules are installed, and nothing ever reports", firing={15: {(ABSENT, "", "")}})
    day.series.clear()
    yield day


def ordinary_days() -> Iterator[Day]:
    """Yield the days on which every alert is quiet."""
    day = Day("deploy: a rolling restart with a new policy, half an hour between two replicas")
    day.replica("a", life="60 -2 reset 179")
    day.replica("b", life="90 -2 reset 149")
    for instance, at in (("a", 60), ("b", 90)):
        for provider in ("vllm", "openai"):
            day.policy(provider, "aaa", f"1x{at - 1} stale _x{240 - at}", instance=instance)
            day.policy(provider, "bbb", f"_x{at + 2} 1x{238 - at}", instance=instance)
    day.decisions(Reason.NOT_ALLOWED, counter((62, 0), (5, 1), (174, 0)))
    day.requests(Outcome.REJECTED, counter((62, 0), (5, 1), (174, 0)))
    yield day

    day = Day("canary: a third replica with another policy for 45 minutes")
    day.replica("c", life="-60 45 -136", policy="ccc")
    yield day

    day = Day("restart: no replica answers for 8 minutes, and counters start again")
    for instance in ("a", "b"):
        day.replica(instance, life="60 -8 reset 173")
        day.set("up", "1x59 0x7 1x172", instance=instance)
    day.decisions(Reason.CREDENTIAL, "3x59 stale _x7 0x172")
    yield day

    day = Day("new provider: its first callers send a wrong header now and then")
    for instance in ("a", "b"):
        day.provider("new", life="-60 181", instance=instance)
    day.decisions(Reason.NOT_ALLOWED, counter("gone 60", (181, 0.2)), provider="new")
    day.names(Reason.NOT_ALLOWED, "_other", "_x62 1+0.2x178")
    yield day

    day = Day(
        "nightly batch: an hour with a thousand headers that the policy blocks",
        steps=3 * _DAY + 6 * _HOUR,
        minutes=5,
        quiet_from=3 * _DAY,
    )
    nights = [piece for _ in range(4) for piece in ((2 * _HOUR, 0), (_HOUR, 250), (21 * _HOUR, 0))]
    day.decisions(Reason.NOT_ALLOWED, counter(*nights, (1, 0)))
    day.requests(Outcome.FILTERED, counter(*nights, (1, 0)))
    yield day

    day = Day("scale to zero: no replica for five hours", steps=500)
    for instance in ("a", "b"):
        day.replica(instance, life="60 -300 reset 141")
    yield day

    day = Day("low traffic: a request each ten minutes, and a developer who tries out headers")
    for instance in ("a", "b"):
        day.requests(Outcome.CLEAN, counter((241, 0.1)), instance=instance)
        day.identity(IdentityHeaderResult.SENT, counter((241, 0.1)), instance=instance)
    day.requests(Outcome.REJECTED, day.during(100, 106, 1))
    day.decisions(Reason.TYPE, day.during(100, 103, 1))
    day.decisions(Reason.FRAMING, day.during(103, 106, 1))
    yield day

    day = Day("two namespaces: the same job name, each with its own policy")
    day.replica("c", policy="ccc", namespace="staging")
    yield day

    day = Day("client noise: a library sends all of its headers along")
    for reason in (Reason.SDK, Reason.BROWSER, Reason.TRACE_CONTEXT):
        day.decisions(reason, day.during(60, 240, 50))
    for position in range(30):
        day.names(Reason.SDK, f"x-stainless-{position}", "_x60 1+1x180")
    yield day

    day = Day("unauthenticated probes: of a server with identity headers and few extra headers")
    for instance in ("a", "b"):
        day.requests(Outcome.CLEAN, counter((241, 0)), instance=instance)
        day.requests(Outcome.REJECTED, counter((241, 0.5)), instance=instance)
        day.identity(IdentityHeaderResult.REJECTED, counter((241, 0.5)), instance=instance)
        day.identity(IdentityHeaderResult.SENT, counter((241, 50)), instance=instance)
    yield day


def table() -> str:
    """Return the table of docs/alerting.md: harms by alert."""
    columns = list(AlertName)
    header = ["harm or attack", *(name.removeprefix("ExtraHeaders") for name in columns)]
    rows = [header, ["---"] * len(header)]
    for day in harms():
        fired = {name for firing in day.firing.values() for name, _, _ in firing}
        rows.append([day.title, *("fires" if name in fired else "" for name in columns)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
