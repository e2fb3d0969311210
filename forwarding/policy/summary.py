"""A policy in one line, for the log of a server that starts."""

from .model import Policy


def summarize(policy: Policy) -> str:
    """Return what a policy says: counts of its entries, what happens to stopped headers, names that it sets."""
    allow = "all that is not blocked" if policy.allow is None else f"{len(policy.allow)} patterns"
    parts = [
        f"policy {policy.digest}",
        f"allow {allow}",
        f"block {len(policy.block)} and the core blocklist",
        f"unblock {len(policy.unblock)}",
        f"on_blocked {policy.on_blocked}",
        f"on_malformed {policy.on_malformed}",
    ]
    if policy.set:
        parts.append(f"set {' '.join(policy.set)} (on_missing {policy.on_missing})")
    if (shadow := policy.shadow_policy) is not None:
        parts.append(f"shadow policy {shadow.digest}")
    return ", ".join(parts)
