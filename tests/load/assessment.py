"""What must hold of a run of the soak; each function returns what does not, for people to read."""

from tests.load.process import change
from tests.load.soak import HOSTS_OWN_ERRORS, Run

_FLAT = 0.02


def growth(with_it: Run) -> list[str]:
    """Return what grew while the load went on, but for a share that comes and goes."""
    found = []
    if (grown := change(with_it.usages, lambda u: u.resident)) > _FLAT:
        found.append(f"resident memory grew by {grown:.2%} from the second quarter to the last")
    if (grown := change(with_it.usages, lambda u: u.descriptors)) > _FLAT:
        found.append(f"file descriptors grew by {grown:.2%} from the second quarter to the last")
    return found


def exactness(with_it: Run, without: Run) -> list[str]:
    """Return what differs from what the callers must expect, to the last request."""
    found = [f"at the provider: {fault}" for fault in (*with_it.wrong_upstream, *without.wrong_upstream)]
    found += [
        f"{result.reached} requests at the provider, {result.expected_to_reach} expected"
        for result in (with_it, without)
        if result.reached != result.expected_to_reach
    ]
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
