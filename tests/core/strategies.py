"""What the laws of the core are tried with: names, values, outbound names and policies, as hypothesis draws them."""

from collections.abc import Sequence
from random import Random

from hypothesis import assume, settings
from hypothesis import strategies as st

from extra_headers.forwarding import Policy, PolicyError
from extra_headers.forwarding.policy.model import parse_policy
from extra_headers.forwarding.policy.provider_data import RepeatedKeys
from tests.core.oracle import Headers, matching
from tests.core.test_blocklist import DESIGN
from tests.core.test_names import TCHAR

law = settings(max_examples=150, deadline=None, derandomize=True, database=None)

CORE_PATTERNS = [pattern for patterns in DESIGN.values() for pattern in patterns.split(", ")]
LIFTABLE = ["openai-organization", "User_Agent", "x-forwarded-host", "origin", "via"]
OTHER_STEMS = ["x-own", "x-a", "x-b", "x-bc", "y-a", "x.y", "a", "openai-x"]
STEMS = [*(pattern.removesuffix("*") for pattern in CORE_PATTERNS), *OTHER_STEMS]


def _respelled(stem: str, seed: int) -> str:
    if not seed:  # what hypothesis shrinks to
        return stem
    swaps = Random(seed).choices("=^_.~", k=len(stem))  # noqa: S311 - the same each time
    spelled = [c.upper() if s == "^" else s if c == "-" and s != "=" else c for c, s in zip(stem, swaps, strict=True)]
    return "".join(spelled)


def respelled(stems: Sequence[str]) -> st.SearchStrategy[str]:
    """Return spellings of names: case and separators as they come. An integer costs a third of a text to draw."""
    return st.builds(_respelled, st.sampled_from(stems), st.integers(0, 0xFFFF))


tokens = st.text(TCHAR, min_size=1, max_size=24)
known_names = respelled(STEMS)
longer_names = st.builds(str.__add__, known_names, st.text("aA-_9", max_size=8))
plain_names = respelled([*OTHER_STEMS, *LIFTABLE])
not_names = st.one_of(st.text(max_size=12), known_names.map(" {}".format))
# What stands here more than once is to come more often.
header_names = st.one_of(plain_names, plain_names, plain_names, known_names, longer_names, tokens, not_names)

json_scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
json_values = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
printable = st.text(st.characters(min_codepoint=0x1F, max_codepoint=0x7F), max_size=12)
header_values = st.one_of(
    st.just("v"), st.just("v"), st.just("w x"), printable.map(str.strip), printable, st.text(max_size=8), json_values
)

header_pairs = st.lists(st.tuples(header_names, header_values), max_size=8)
different_names = header_pairs.map(lambda pairs: list(dict(pairs).items()))
outbound_names = st.frozensets(respelled(OTHER_STEMS) | respelled(STEMS), max_size=4)

entries = st.lists(
    st.sampled_from(["x-*", "X_A", "x-b*", "x.y", "y-*", "a*", "openai-*", "c*"]), max_size=3, unique=True
)
lifted = st.lists(
    st.sampled_from(LIFTABLE),
    max_size=2,
    unique=True,
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Return a valid policy with limits low enough to be reached.

    Draw it first: others that would be drawn before it are lost with an invalid one.
    """
    max_total = draw(st.integers(1, 60) | st.just(200))
    unblock = draw(lifted)
    setting: dict[str, object] = {
        "block": draw(entries),
        "unblock": unblock,
        "on_blocked": draw(st.sampled_from(["drop", "reject"])),
        "on_malformed": draw(st.sampled_from(["drop", "drop", "reject"])),
        "limits": {
            "max_headers": draw(st.sampled_from([2, 8, 8, 8])),
            "max_name_bytes": draw(st.integers(19, 24)),
            "max_value_bytes": draw(st.integers(1, min(10, max_total))),
            "max_total_bytes": max_total,
        },
    }
    if (allow := draw(st.none() | entries)) is not None:
        setting["allow"] = [*allow, *(name for name in unblock if not matching(allow, name))]
    try:
        return parse_policy(setting, "a generated provider")
    except PolicyError:
        assume(False)
        raise


def as_headers(pairs: Headers) -> dict[str, object]:
    """Return pairs as `decode_object` does: equal keys kept."""
    headers = dict(pairs)
    return headers if len(headers) == len(pairs) else RepeatedKeys(pairs)
