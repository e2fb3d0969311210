"""The state after rounds of readings: rates, restarts, replicas, attempts, drift."""

from collections.abc import Mapping

from extra_headers.forwarding.cli.watch.samples import PolicyInfo, Series, Snapshot
from extra_headers.forwarding.cli.watch.state import Endpoint, Override, Watch
from extra_headers.telemetry import contract


def decision(reason: str, provider: str = "vllm", kind: str = "blocked") -> Series:
    """Return the counter of a decision."""
    return Series(contract.DECISIONS_TOTAL, (("decision", kind), ("provider", provider), ("reason", reason)))


def blocked_name(header: str, reason: str, provider: str = "vllm") -> Series:
    """Return the counter of a blocked name."""
    return Series(contract.BLOCKED_NAMES_TOTAL, (("header", header), ("provider", provider), ("reason", reason)))


def snapshot(counters: Mapping[Series, float], *digests: str) -> Snapshot:
    """Return a snapshot with one policy of provider `vllm` for each digest."""
    policies = frozenset(PolicyInfo("vllm", "remote::vllm", digest, "drop", "reject") for digest in digests)
    return Snapshot(counters, policies)


def watched(*rounds: tuple[float, Snapshot | str, *tuple[Snapshot | str, ...]]) -> Watch:
    """Return the state after rounds: their time, and the result of each endpoint."""
    watch = Watch(tuple(Endpoint(f"http://{i}") for i in range(len(rounds[0]) - 1)))
    for seconds, *results in rounds:
        watch = watch.after(seconds, results)
    return watch


def figures(watch: Watch) -> dict[str, tuple[float | None, float, float]]:
    """Return rate, increase and total by reason."""
    return {
        row.series.label("reason"): (row.per_second, row.grown, row.total)
        for row in watch.rows(contract.DECISIONS_TOTAL)
    }


FRAMING = decision("framing")
DOWN = "connection refused"


class TestRates:
    """Decisions per second and since the watch began."""

    def test_need_two_readings(self) -> None:
        """After the first reading there is a total and no rate."""
        assert figures(watched((0, snapshot({FRAMING: 5})))) == {"framing": (None, 0, 5)}

    def test_are_the_increase_over_the_time(self) -> None:
        """The rate is that of the last interval, the increase that of all."""
        rounds = [(seconds, snapshot({FRAMING: total})) for seconds, total in ((0, 5), (2, 9), (6, 11))]
        assert figures(watched(*rounds)) == {"framing": (0.5, 6, 11)}

    def test_count_a_series_that_appears(self) -> None:
        """A series that is created by its first event began at zero."""
        assert figures(watched((0, snapshot({})), (1, snapshot({FRAMING: 2})))) == {"framing": (2, 2, 2)}

    def test_survive_a_restart(self) -> None:
        """When any counter falls, all began at zero again, including one that is larger than before."""
        before, after = {FRAMING: 3.0, decision("sdk"): 9.0}, {FRAMING: 5.0, decision("sdk"): 1.0}
        assert figures(watched((0, snapshot(before)), (1, snapshot(after)))) == {"framing": (5, 5, 5), "sdk": (1, 1, 1)}

    def test_leave_zeros_out(self) -> None:
        """The many series that exist at zero are not shown."""
        assert watched((0, snapshot({FRAMING: 0}))).rows(contract.DECISIONS_TOTAL) == []

    def test_are_unknown_while_the_endpoint_is_down(self) -> None:
        """The last totals stay, with the time since when they are old, and no rate is invented."""
        state = watched((0, snapshot({FRAMING: 5})), (2, DOWN), (4, "other"))
        assert figures(state) == {"framing": (None, 0, 5)}
        assert (state.endpoints[0].failure, state.endpoints[0].failed_since, state.down) == ("other", 2, 1)

    def test_continue_after_an_outage(self) -> None:
        """The increase during the outage is spread over it."""
        state = watched((0, snapshot({FRAMING: 5})), (2, DOWN), (4, snapshot({FRAMING: 13})))
        assert figures(state) == {"framing": (2, 8, 13)}
        assert (state.endpoints[0].failure, state.down) == ("", 0)

    def test_are_added_up_over_replicas(self) -> None:
        """A replica that is down adds its last total and no rate."""
        first = 0, snapshot({FRAMING: 1}), snapshot({FRAMING: 10})
        both = watched(first, (1, snapshot({FRAMING: 2}), snapshot({FRAMING: 13})))
        assert figures(both) == {"framing": (4, 4, 15)}
        assert figures(watched(first, (1, snapshot({FRAMING: 2}), DOWN))) == {"framing": (1, 1, 12)}


class TestOverride:
    """The last attempt to override something that the server sends."""

    def test_names_provider_and_entries(self) -> None:
        """Both reasons count, each rule or entry of that provider is named, and other blocked names are not."""
        counters = {
            decision("credential"): 1.0,
            decision("override"): 1.0,
            decision("framing"): 1.0,
            blocked_name("authorization", "credential"): 1.0,
            blocked_name("x-team", "override"): 1.0,
            blocked_name("host", "framing"): 1.0,
            blocked_name("cookie", "credential", "other"): 0.0,
        }
        override = watched((0, snapshot({})), (3, snapshot(counters))).override
        assert override == Override(3, "vllm", (("authorization", "credential"), ("x-team", "override")))

    def test_from_before_the_watch_is_only_in_the_total(self) -> None:
        """The first reading does not tell when its attempts happened."""
        state = watched((0, snapshot({decision("credential"): 4, FRAMING: 1})))
        assert (state.override, state.attempts_in_total()) == (None, 4)

    def test_stays_until_the_next(self) -> None:
        """Quiet rounds and outages keep the last attempt."""
        one = snapshot({decision("credential"): 1.0})
        override = watched((0, snapshot({})), (1, one), (2, one), (3, DOWN)).override
        assert override is not None
        assert override.seconds == 1


def test_policies_that_differ_drift() -> None:
    """Equal policies are one row. Policies that differ are two, the more frequent first."""
    (row,) = watched((0, snapshot({}, "aa"), snapshot({}, "aa"))).policies()
    assert (row.endpoints, row.of, row.drift) == (2, 2, False)
    rows = watched((0, snapshot({}, "bb"), snapshot({}, "aa"), snapshot({}, "bb"))).policies()
    assert [(r.policy.digest, r.endpoints, r.of, r.drift) for r in rows] == [("bb", 2, 3, True), ("aa", 1, 3, True)]


def test_shadow_differences() -> None:
    """A decision on which shadow and live policy agree is not a difference."""

    def shadow(kind: str) -> Series:
        labels = {"decision": "forwarded", "provider": "vllm", "shadow_decision": kind, "shadow_reason": "operator"}
        return Series(contract.SHADOW_DECISIONS_TOTAL, tuple(labels.items()))

    (row,) = watched((0, snapshot({shadow("forwarded"): 2.0, shadow("blocked"): 2.0}))).shadow_differences()
    assert row.series.label("shadow_decision") == "blocked"
