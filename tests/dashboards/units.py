"""Ids of units that Grafana knows (its value-format categories), as far as a panel here could sensibly use one."""

VALID_UNITS = frozenset(
    (
        *("none", "short", "locale", "percent", "percentunit", "bytes", "decbytes", "Bps", "binBps"),
        *("ns", "µs", "ms", "s", "m", "h", "d"),
        *("cps", "ops", "reqps", "rps", "cpm", "opm", "rpm"),
    )
)
