"""Callers at the same time and one after another: no state of one reaches another."""

from tests.litellm.proxy import Proxy
from tests.litellm.soak import Soak


def test_concurrent_callers(proxy: Proxy) -> None:
    """Each request carries its own caller's headers, and the counters are the callers' tally."""
    life = Soak(proxy).run(240)
    assert life.faults == {}
    assert dict(life.tally) == life.counted


def test_a_providers_cookie_is_not_kept(proxy: Proxy) -> None:
    """What the provider sets in the answer to one caller is not sent with the next one's request."""
    for model in ("cookie", "cookie-vllm", "cookie-claude"):
        for _ in range(2):
            assert proxy.chat(model).status == 200
        assert all(received.values("cookie") == [] for received in proxy.taken()), model
