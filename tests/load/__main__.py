"""`make soak`: the soak and the hostile names in full, with their report; exit code 1 where something is wrong."""

import argparse
import platform
import sys
import tempfile
from pathlib import Path

from tests.load import hostile_names
from tests.load.assessment import exactness, growth
from tests.load.process import MIB, change
from tests.load.soak import Run, run


def main() -> int:
    """Run everything, print what came out, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=64)
    given = parser.parse_args()
    print(f"{given.callers} callers, {given.concurrency} at a time, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as directory:
        runs = {}
        for name, add_on in (("with the add-on", True), ("without", False)):
            print(f"== {name}", flush=True)
            folder = Path(directory) / name.replace(" ", "-")
            runs[name] = run(folder, given.callers, given.concurrency, add_on=add_on, progress=_say)
            _report(runs[name])
        with_it, without = runs.values()
        faults = exactness(with_it, without) + growth(with_it)
        print("== a million distinct names", flush=True)
        faults += hostile_names.through_recorder(1_000_000, _say) + hostile_names.through_server(
            Path(directory), 50_000, _say
        )
    print("== " + ("; ".join(faults) if faults else "all as it must be"))
    return 1 if faults else 0


def _say(line: str) -> None:
    print(line, flush=True)


def _report(result: Run) -> None:
    print(f"{result.sent} sent in {result.seconds:.0f} s ({result.sent / result.seconds:.0f}/s)")
    for (kind, status), count in sorted(result.statuses.items()):
        print(f"  {count:6d}  {status}  {kind}")
    print(
        f"at the provider: {result.reached}, of {result.expected_to_reach} expected, {len(result.wrong_upstream)} wrong"
    )
    print(f"decisions counted: {result.counted.total()}, expected {result.tally.total()}")
    print(f"requests counted: {result.counted_outcomes.total()}, expected {result.outcomes.total()}")
    print(f"unexpected answers: {dict(result.unexpected)}; errors in the log: {dict(result.log_errors)}")
    usages, (before, after) = result.usages, result.at_rest or (result.usages[0], result.usages[-1])
    print(
        f"resident memory: {before.resident / MIB:.1f} MiB before, {usages[-1].resident / MIB:.1f} at the end of the "
        f"load; last quarter against the second: {change(usages, lambda u: u.resident):+.2%}"
    )
    print(
        f"descriptors: {before.descriptors} before, at most {max(u.descriptors for u in usages)}, "
        f"{after.descriptors} after; sockets: {before.sockets}, {max(u.sockets for u in usages)}, {after.sockets}"
    )


if __name__ == "__main__":
    sys.exit(main())
