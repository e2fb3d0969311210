"""`make soak`: the soak and the hostile names in full, with their report; exit code 1 where something is wrong."""

import argparse
import platform
import sys
import tempfile
from pathlib import Path

from tests.load import hostile_names
from tests.load.assessment import exactness, growth, longest
from tests.load.process import MIB, change
from tests.load.soak import Run, run
from tests.load.weather import STORM, STORM_OVER_WORKERS

_PARTS = ("storm", "workers", "names")


def main() -> int:
    """Run what is asked for, print what came out, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, default=20_000, help="of the run with one process")
    parser.add_argument(
        "--others", type=int, default=4_000, help="callers of the run without the add-on, and of workers"
    )
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--parts", nargs="+", choices=_PARTS, default=_PARTS)
    given = parser.parse_args()
    print(f"{given.callers} callers, {given.concurrency} at a time, Python {platform.python_version()}")
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        print("== without the add-on", flush=True)
        without = run(directory / "without", given.others, given.concurrency, add_on=False, progress=_say)
        _report(without)
        if "storm" in given.parts:
            print("== with the add-on, in a storm", flush=True)
            storm = run(directory / "storm", given.callers, given.concurrency, add_on=True, plan=STORM, progress=_say)
            _report(storm)
            faults += exactness(storm, without) + growth(storm)
        if "workers" in given.parts:
            print("== two workers with the add-on, in a storm", flush=True)
            workers = run(
                directory / "workers",
                given.others,
                given.concurrency,
                add_on=True,
                plan=STORM_OVER_WORKERS,
                workers=2,
                progress=_say,
            )
            _report(workers)
            faults += exactness(workers, without)
        if "names" in given.parts:
            print("== a million distinct names", flush=True)
            faults += hostile_names.through_recorder(1_000_000, _say)
            faults += hostile_names.through_server(directory, 50_000, _say)
    print("== " + ("; ".join(faults) if faults else "all as it must be"))
    return 1 if faults else 0


def _say(line: str) -> None:
    print(line, flush=True)


def _report(result: Run) -> None:
    print(f"{result.sent} sent in {result.seconds:.0f} s ({result.sent / result.seconds:.0f}/s)")
    for (kind, status), count in sorted(result.statuses.items()):
        print(f"  {count:6d}  {status}  {kind}")
    print(f"unexpected answers: {dict(result.unexpected)}; errors in the log: {dict(result.log_errors)}")
    print("\n" + _table(result) + "\n", flush=True)


def _table(result: Run) -> str:
    """Return what fits into a table of benchmarks/README.md."""
    lives, life = result.lives, longest(result)
    must, most = (sum(getattr(one, tally).calls for one in lives) for tally in ("must", "may"))
    rows = [
        ("requests, broken by kills", f"{result.sent:,}, {result.broken}"),
        ("kills", str(result.kills())),
        (
            "calls at the provider and MCP server, with exactly their callers' headers",
            f"{sum(one.reached for one in lives) - len(result.wrong_upstream):,} of {_range(must, must + most)}",
        ),
    ]
    for number, one in enumerate(lives, 1):
        if one.counted is not None:
            of = f", life {number}" if len(lives) > 1 else ""
            for what in ("decisions", "outcomes"):
                counted, least, most = (
                    getattr(tally, what).total() for tally in (one.counted, one.at_least, one.at_most)
                )
                name = "requests" if what == "outcomes" else what
                rows.append((f"{name} counted{of}, of the callers' own", f"{counted:,} of {_range(least, most)}"))
    if (audit := result.audit) is not None:
        rows.append(("audit records written, suppressed", f"{audit.written:,}, {audit.suppressed:,}"))
        rows.append(("lost to a full disk, times full", f"{audit.lost:,}, {audit.faults}"))
    usages = life.usages
    grown = change(usages, lambda u: u.resident)
    rows.append(
        (
            "resident memory, last quarter of the longest life against its second",
            f"{grown:+.2%}, at {usages[-1].resident / MIB:.0f} MiB",
        )
    )
    if life.at_rest is not None:
        before, after = life.at_rest
        rows.append(("descriptors at rest, before and after", f"{before.descriptors}, {after.descriptors}"))
        rows.append(("sockets at rest, before and after", f"{before.sockets}, {after.sockets}"))
    return "\n".join(["| what | figure |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in rows)])


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


if __name__ == "__main__":
    sys.exit(main())
