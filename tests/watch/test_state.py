"""What is known after rounds of readings: rates, restarts, replicas, attempts, drift."""

from collections.abc import Mapping

from extra_headers.forwarding.cli.watch.samples import Policy, Series, Snapshot
from extra_headers.forwarding.cli.watch.state import Endpoint, Reading, Watch
from extra_headers.telemetry import contract


def decision(reason: str, provider: str = "vllm", kind: str = "blocked") -> Series:
    """Return the counter of a decision."""
    return Series(contract.DECISIONS_TOTAL, (("decision", kind), ("provider", provider), ("reason", reason)))


def blocked_name(header: str, reason: str, provider: str = "vllm") -> Series:
    """Return the counter of a blocked name."""
    return Series(contract.BLOCKED_NAMES_TOTAL, (("header", header), ("provider", provider), ("reason", reason)))


def reading(seconds: float, counters: Mapping[Series, float], *digests: str) -> Reading:
    """Return a reading with one policy of provider `vllm` for each digest."""
    policies = frozenset(Policy("vllm", "remote::vllm", digest, "drop", "reject") for digest in digests)
    return Reading(seconds, Snapshot(counters, policies))


def watched(*rounds: tuple[Reading, ...]) -> Watch:
    """Return what is known after rounds, each with one reading for every endpoint."""
    watch = Watch(tuple(Endpoint(f"http://{i}") for i in range(len(rounds[0]))))
    for one in rounds:
        watch = watch.after(one)
    return watch


def figures(watch: Watch) -> dict[str, tuple[float | None, float, float]]:
    """Return rate, growth and total by reason."""
    return {
        row.series.label("reason"): (row.per_second, row.grown, row.total)
        for row in watch.rows(contract.DECISIONS_TOTAL)
    }


FRAMING = decision("framing")
DOWN = "nothing listens there"


class TestRates:
    """Decisions per second and since the watch began."""

    def test_need_two_readings(self) -> None:
        """After the first reading there is a total and no rate."""
        assert figures(watched((reading(0, {FRAMING: 5}),))) == {"framing": (None, 0, 5)}

    def test_are_the_growth_over_the_time(self) -> None:
        """The rate is that of the last interval, the growth that of all."""
        rounds = [(reading(seconds, {FRAMING: total}),) for seconds, total in ((0, 5), (2, 9), (6, 11))]
        assert figures(watched(*rounds)) == {"framing": (0.5, 6, 11)}

    def test_count_a_series_that_appears(self) -> None:
        """A series that begins with its first event began at zero."""
        assert figures(watched((reading(0, {}),), (reading(1, {FRAMING: 2}),))) == {"framing": (2, 2, 2)}

    def test_outlive_a_restart(self) -> None:
        """When any counter falls, all began at zero again, also one that is larger than before."""
        before, after = {FRAMING: 3.0, decision("sdk"): 9.0}, {FRAMING: 5.0, decision("sdk"): 1.0}
        known = watched((reading(0, before),), (reading(1, after),))
        assert figures(known) == {"framing": (5, 5, 5), "sdk": (1, 1, 1)}

    def test_leave_zeros_out(self) -> None:
        """The many series that exist at zero are no rows."""
        assert watched((reading(0, {FRAMING: 0}),)).rows(contract.DECISIONS_TOTAL) == []

    def test_are_unknown_while_the_endpoint_is_down(self) -> None:
        """The last totals stay, with since when they are old, and no rate is made up."""
        known = watched((reading(0, {FRAMING: 5}),), (Reading(2, None, DOWN),), (Reading(4, None, "other"),))
        assert figures(known) == {"framing": (None, 0, 5)}
        assert (known.endpoints[0].failure, known.endpoints[0].failed_since) == ("other", 2)

    def test_go_on_after_an_outage(self) -> None:
        """The growth during the outage is spread over it."""
        known = watched((reading(0, {FRAMING: 5}),), (Reading(2, None, DOWN),), (reading(4, {FRAMING: 13}),))
        assert figures(known) == {"framing": (2, 8, 13)}
        assert known.endpoints[0].failure == ""

    def test_are_added_up_over_replicas(self) -> None:
        """One that is down adds its last total and no rate."""
        first = reading(0, {FRAMING: 1}), reading(0, {FRAMING: 10})
        assert figures(watched(first, (reading(1, {FRAMING: 2}), reading(1, {FRAMING: 13})))) == {"framing": (4, 4, 15)}
        assert figures(watched(first, (reading(1, {FRAMING: 2}), Reading(1, None, DOWN)))) == {"framing": (1, 1, 12)}


class TestOverride:
    """The last attempt to override something that the server sends."""

    def test_names_provider_and_entries(self) -> None:
        """Both reasons count, each entry of that provider is named, and other blocked names are not."""
        seen = {
            decision("credential"): 1.0,
            decision("override"): 1.0,
            decision("framing"): 1.0,
            blocked_name("authorization", "credential"): 1.0,
            blocked_name("x-team", "override"): 1.0,
            blocked_name("host", "framing"): 1.0,
            blocked_name("cookie", "credential", "other"): 0.0,
        }
        override = watched((reading(0, {}),), (reading(3, seen),)).override
        assert override is not None
        assert (override.seconds, override.provider, override.count) == (3, "vllm", 2)
        assert override.headers == (("authorization", "credential"), ("x-team", "override"))

    def test_from_before_the_watch_is_in_the_total_only(self) -> None:
        """When the first reading finds some, nobody knows when they came."""
        known = watched((reading(0, {decision("credential"): 4, FRAMING: 1}),))
        assert (known.override, known.attempts_in_total()) == (None, 4)

    def test_stays_until_the_next(self) -> None:
        """Quiet rounds and outages keep the last one."""
        one = {decision("credential"): 1.0}
        known = watched((reading(0, {}),), (reading(1, one),), (reading(2, one),), (Reading(3, None, DOWN),))
        assert known.override is not None
        assert known.override.seconds == 1


class TestPolicies:
    """Which policy is in force on how many endpoints."""

    def test_equal_ones_are_one_row(self) -> None:
        """Two replicas with the same digest agree."""
        (row,) = watched((reading(0, {}, "aa"), reading(0, {}, "aa"))).policies()
        assert (row.endpoints, row.of, row.drift) == (2, 2, False)

    def test_different_ones_drift(self) -> None:
        """Replicas that differ are two rows, the more frequent one first."""
        rows = watched((reading(0, {}, "bb"), reading(0, {}, "aa"), reading(0, {}, "bb"))).policies()
        assert [(row.policy.digest, row.endpoints, row.of, row.drift) for row in rows] == [
            ("bb", 2, 3, True),
            ("aa", 1, 3, True),
        ]


def test_the_history_is_by_kind_and_bounded() -> None:
    """The rates of the last rounds are kept for the bars."""
    allowed = decision("allowed", kind="forwarded")
    known = watched(*((reading(i, {FRAMING: 2 * i, allowed: i}),) for i in range(60)))
    assert len(known.history) == 40
    assert known.history[-1] == {"forwarded": 1, "blocked": 2, "malformed": 0}


def test_shadow_differences_are_those_that_differ() -> None:
    """What the shadow policy decides like the live one is no difference."""
    counters = {
        Series(
            "extra_headers_shadow_decisions_total",
            (
                ("decision", "forwarded"),
                ("provider", "vllm"),
                ("shadow_decision", would),
                ("shadow_reason", "operator"),
            ),
        ): 2.0
        for would in ("forwarded", "blocked")
    }
    (row,) = watched((reading(0, counters),)).shadow_differences()
    assert row.series.label("shadow_decision") == "blocked"
