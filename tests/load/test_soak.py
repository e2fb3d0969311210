"""The soak, small: the same code and the same exactness as `make soak`, with fewer requests."""

from pathlib import Path

from tests.load.assessment import exactness
from tests.load.process import MIB, Usage
from tests.load.soak import run
from tests.load.traffic import KINDS, requests

_COUNT = 1_000
_CONCURRENCY = 64


def test_every_request_is_accounted_for(tmp_path: Path) -> None:
    """Each provider call has its caller's headers, the counters equal the callers' tally, and no error is new."""
    with_it = run(tmp_path / "with", _COUNT, _CONCURRENCY, add_on=True)
    without = run(tmp_path / "without", _COUNT, _CONCURRENCY, add_on=False)

    assert exactness(with_it, without) == []
    assert {kind for kind, _ in with_it.statuses} == {kind.name for kind in KINDS}
    assert with_it.sent == without.sent == sum(request.kind.count for request in requests(_COUNT))
    # The flat line takes more requests than these to see: here, that nothing is kept of each of them.
    before, after = with_it.at_rest or (_NONE, _NONE)
    assert after.resident - before.resident < _COUNT * 0.1 * MIB


_NONE = Usage(0, 0, 0, 0)
