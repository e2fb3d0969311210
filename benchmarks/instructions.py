"""The same comparisons in executed instructions, with their targets; where there is valgrind.

As a program, it is what valgrind watches.
"""

import json
from collections.abc import Iterator

from ogx.core.request_headers import PROVIDER_DATA_VAR

from benchmarks.callgrind import UNIT, call_each, counted, is_installed, start
from benchmarks.cost_of_a_request import COMPARED, REFERENCE, VALUES, Requests, ten_headers
from benchmarks.nothing_to_forward import OFF, ON, REQUESTS, clients
from benchmarks.sidebyside import Row, at_most

_TARGETS = {"36-character ids": (0.33, 0.6, 0.7, 0.7), "8-character values": (0.33, 0.6, 1.5, 1.5)}
"""What the ratios to the reference must not exceed, in the order of `COMPARED`."""


def rows() -> Iterator[Row]:
    """Count; nothing where there is no valgrind."""
    if not is_installed():
        return
    found = counted(__name__)
    for kind in VALUES:
        for what, most in zip(COMPARED, _TARGETS[kind], strict=True):
            yield at_most(most, f"{what}, {kind}", UNIT, found[f"{kind}: {what}"], found[f"{kind}: {REFERENCE}"])
    for request in REQUESTS:
        what = f"{request}: a provider's `client`, on against off"
        yield Row(what, UNIT, found[f"{request}: {ON}"], found[f"{request}: {OFF}"])


def _main() -> None:
    start()
    names: list[str] = []
    requests = Requests()
    for kind in VALUES:
        subjects = ten_headers(kind, requests)
        call_each(subjects, requests.prepare)
        names += (f"{kind}: {what}" for what in subjects)
    subjects = clients()
    for request, provider_data in REQUESTS.items():
        token = PROVIDER_DATA_VAR.set(provider_data)
        call_each(subjects)
        PROVIDER_DATA_VAR.reset(token)
        names += (f"{request}: {what}" for what in subjects)
    print(json.dumps(names))


if __name__ == "__main__":
    _main()
