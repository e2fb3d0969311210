"""`make soak`: the soak in full, with its report; exit code 1 where something is not as it must be."""

import argparse
import platform
import sys
import tempfile
from pathlib import Path

from tests.load.process import change
from tests.load.soak import HOSTS_OWN_ERRORS, Run, run

_MIB = 2**20
_FLAT = 0.02


def main() -> int:
    """Run with the add-on, then without, print both, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=64)
    given = parser.parse_args()
    print(f"{given.requests} requests, {given.concurrency} at a time, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as directory:
        runs = {}
        for name, add_on in (("with the add-on", True), ("without", False)):
            print(f"== {name}", flush=True)
            folder = Path(directory) / name.replace(" ", "-")
            runs[name] = run(folder, given.requests, given.concurrency, add_on=add_on, progress=_say)
            _report(runs[name])
    faults = findings(*runs.values())
    print("== " + ("; ".join(faults) if faults else "all as it must be"))
    return 1 if faults else 0


def _say(line: str) -> None:
    print(line, flush=True)


def _report(result: Run) -> None:
    print(f"{result.sent} sent in {result.seconds:.0f} s ({result.sent / result.seconds:.0f}/s)")
    for (kind, status), count in sorted(result.statuses.items()):
        print(f"  {count:6d}  {status}  {kind}")
    print(f"at the provider: {result.reached}, of {result.expected_to_reach} expected, {len(result.wrong_upstream)} wrong")
    print(f"decisions counted: {result.counted.total()}, expected {result.tally.total()}")
    print(f"requests counted: {result.counted_outcomes.total()}, expected {result.outcomes.total()}")
    print(f"unexpected answers: {dict(result.unexpected)}; errors in the log: {dict(result.log_errors)}")
    usages, (before, after) = result.usages, result.at_rest or (result.usages[0], result.usages[-1])
    print(
        f"resident memory: {before.resident / _MIB:.1f} MiB before, {usages[-1].resident / _MIB:.1f} at the end of the "
        f"load; last quarter against the second: {change(usages, lambda u: u.resident):+.2%}"
    )
    print(
        f"descriptors: {before.descriptors} before, at most {max(u.descriptors for u in usages)}, "
        f"{after.descriptors} after; sockets: {before.sockets}, {max(u.sockets for u in usages)}, {after.sockets}"
    )


def findings(with_it: Run, without: Run) -> list[str]:
    """Return what is not as it must be."""
    found = exactness(with_it, without)
    if (grown := change(with_it.usages, lambda u: u.resident)) > _FLAT:
        found.append(f"resident memory grew by {grown:.2%} from the second quarter to the last")
    if (grown := change(with_it.usages, lambda u: u.descriptors)) > _FLAT:
        found.append(f"file descriptors grew by {grown:.2%} from the second quarter to the last")
    return found


def exactness(with_it: Run, without: Run) -> list[str]:
    """Return what differs from what the callers must expect, to the last request."""
    found = [f"at the provider: {fault}" for fault in (*with_it.wrong_upstream, *without.wrong_upstream)]
    for result in (with_it, without):
        if result.reached != result.expected_to_reach:
            found.append(f"{result.reached} requests at the provider, {result.expected_to_reach} expected")
    if with_it.counted != with_it.tally:
        found.append(f"decisions counted {dict(with_it.counted)}, expected {dict(with_it.tally)}")
    if with_it.counted_outcomes != with_it.outcomes:
        found.append(f"requests counted {dict(with_it.counted_outcomes)}, expected {dict(with_it.outcomes)}")
    found += [f"only with the add-on: {what}" for what in with_it.unexpected if what not in without.unexpected]
    new_errors = with_it.log_errors.keys() - without.log_errors.keys() - HOSTS_OWN_ERRORS
    found += [f"only with the add-on, in the log: {what}" for what in sorted(new_errors)]
    before, after = with_it.at_rest or (with_it.usages[0], with_it.usages[-1])
    if after.sockets > before.sockets:
        found.append(f"{after.sockets} sockets after the load, {before.sockets} before")
    return found


if __name__ == "__main__":
    sys.exit(main())
