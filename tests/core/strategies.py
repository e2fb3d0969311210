"""What the laws of the core are tried with: names, values, outbound names and policies, as hypothesis draws them."""

from hypothesis import assume, settings
from hypothesis import strategies as st

from extra_headers.forwarding import Policy, PolicyError
from extra_headers.forwarding.policy.model import parse_policy
from extra_headers.forwarding.policy.provider_data import RepeatedKeys
from tests.core.oracle import Headers
from tests.core.test_blocklist import DESIGN
from tests.core.test_names import TCHAR

law = settings(max_examples=100, deadline=None, derandomize=True, database=None)

CORE_PATTERNS = [pattern for patterns in DESIGN.values() for pattern in patterns.split(", ")]
OTHER_STEMS = ["x-own", "x-a", "x-b", "x-bc", "y-a", "x.y", "a", "openai-x"]
STEMS = [*(pattern.removesuffix("*") for pattern in CORE_PATTERNS), *OTHER_STEMS]


@st.composite
def respelled(draw: st.DrawFn, stem: str) -> str:
    """Return a spelling of a name: case and separators as they come."""
    swaps = draw(st.text("=^_.~", min_size=len(stem), max_size=len(stem)))
    spelled = [c.upper() if s == "^" else s if c == "-" and s != "=" else c for c, s in zip(stem, swaps, strict=True)]
    return "".join(spelled)


tokens = st.text(TCHAR, min_size=1, max_size=24)
known_names = st.sampled_from(STEMS).flatmap(respelled)
longer_names = st.builds(str.__add__, known_names, st.text("aA-_9", max_size=8))
plain_names = st.sampled_from(OTHER_STEMS).flatmap(respelled)
not_names = st.one_of(st.text(max_size=12), known_names.map(" {}".format))
# What stands here more than once is to come more often.
header_names = st.one_of(plain_names, plain_names, plain_names, known_names, longer_names, tokens, not_names)

json_scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
json_values = st.recursive(
    json_scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
printable = st.text(st.characters(min_codepoint=0x1F, max_codepoint=0x7F), max_size=12)
header_values = st.one_of(
    st.just("v"), st.just("v"), st.just("w x"), printable.map(str.strip), printable, st.text(max_size=8), json_values
)

header_pairs = st.lists(st.tuples(header_names, header_values), max_size=8)
several_pairs = st.lists(st.tuples(header_names, header_values), min_size=2, max_size=8, unique_by=lambda pair: pair[0])
outbound_names = st.frozensets(st.sampled_from(STEMS).flatmap(respelled), max_size=4)

entries = st.lists(st.sampled_from(["x-*", "X_A", "x-b*", "x.y", "y-*", "a*", "openai-*", "c*"]), max_size=3)
lifted = st.lists(
    st.sampled_from(["openai-organization", "User_Agent", "x-forwarded-host", "origin", "via"]), max_size=2
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Return a valid policy with limits low enough to be reached."""
    max_total = draw(st.integers(1, 60) | st.just(200))
    setting: dict[str, object] = {
        "block": draw(entries),
        "unblock": draw(lifted),
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
        setting["allow"] = allow
    try:
        return parse_policy(setting, "a generated provider")
    except PolicyError:
        assume(False)
        raise


def as_headers(pairs: Headers) -> dict[str, object]:
    """Return pairs as `decode_object` does: equal keys kept."""
    headers = dict(pairs)
    return headers if len(headers) == len(pairs) else RepeatedKeys(pairs)
