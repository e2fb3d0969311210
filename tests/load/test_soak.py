"""The soak, small: the same code and the same exactness as `make soak`, with fewer requests."""

from pathlib import Path

from tests.load.assessment import exactness, longest
from tests.load.process import MIB, Usage
from tests.load.soak import run
from tests.load.traffic import KINDS, requests
from tests.load.weather import STORM

_COUNT = 600
_CONCURRENCY = 32


def test_every_request_is_accounted_for(tmp_path: Path) -> None:
    """Each provider call has its caller's headers, and the counters equal the callers' tally, also around a kill.

    The collector comes and goes, and the disk of the audit log is full at times. No error is new.
    """
    storm = run(tmp_path / "storm", _COUNT, _CONCURRENCY, add_on=True, plan=STORM)
    without = run(tmp_path / "without", _COUNT // 2, _CONCURRENCY, add_on=False)

    assert exactness(storm, without) == []
    assert {kind for kind, _ in storm.statuses} == {kind.name for kind in KINDS}
    assert storm.sent == sum(request.kind.count for request in requests(_COUNT))
    assert len(storm.lives) == storm.kills() + 1
    assert storm.broken > 0
    # The flat line takes more requests than these to see: here, that nothing is kept of each of them.
    before, after = longest(storm).at_rest or (_NONE, _NONE)
    assert after.resident - before.resident < _COUNT * 0.1 * MIB


_NONE = Usage(0, 0, 0, 0)
