"""Everything that is wrong with the extra headers of a run config, without starting a server."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ..policy.mcp import mcp_provider
from .environment import Unset, shown
from .findings import Finding, Level, finding_at
from .loading import loading_findings
from .policies import Checked, check_policy, without_users
from .providers import Provider, RunConfig


def check(config: RunConfig) -> tuple[list[Checked], list[Finding]]:
    """Return the providers with extra headers, and everything that is wrong, in the order of the file."""
    findings = [*repeated_keys(config), *(_unset(config, unset, None) for unset in config.unset)]
    checked = []
    for provider in config.providers:
        findings += check_provider(config, provider)
        if provider.wants_headers:
            checked.append(check_policy(config, provider)[0])
    for each in checked:
        findings += [*forwards_all(config, each), *without_users(config, each)]
    findings += [*_shared_fields(config, checked), *_shared_ids(config, checked)]
    return checked, sorted(findings, key=lambda finding: finding.line)


def check_provider(config: RunConfig, provider: Provider) -> list[Finding]:
    """Return what is wrong with one provider, taken alone."""
    findings = [*loading_findings(config, provider), *(_unset(config, unset, provider) for unset in provider.unset)]
    return findings if provider.unset else findings + check_policy(config, provider)[1]


def forwards_all(config: RunConfig, checked: Checked) -> Iterator[Finding]:
    """Yield a note about a policy without an allow list."""
    if checked.policy is not None and checked.is_active and checked.policy.allow is None:
        message = "no `allow`: every header that is not blocked passes; give `allow` to name those that pass"
        yield finding_at(config, checked.provider.setting_path, checked.provider, Level.NOTE, message)


def _unset(config: RunConfig, unset: Unset, provider: Provider | None) -> Finding:
    message = (
        f"the environment variable {unset.variable} is not set, so OGX does not start; set it, or write "
        f"${{env.{unset.variable}:=default}}"
    )
    return finding_at(config, unset.path, provider, Level.ERROR, message)


def repeated_keys(config: RunConfig) -> Iterator[Finding]:
    """Yield each key that occurs twice."""
    for key in config.document.repeated_keys:
        message = f"duplicate key (first on line {key.first_line}); {config.host} uses only the last"
        yield Finding(Level.WARNING, key.line, None, message)


def _shared_fields(config: RunConfig, checked: Sequence[Checked]) -> Iterator[Finding]:
    """Yield each provider that reads the headers meant for another, unless all of them have the same `field`."""
    by_key: dict[str, list[Checked]] = defaultdict(list)
    for one in checked:
        # Headers for MCP servers are by server, so a shared key mixes nothing up.
        if one.is_active and mcp_provider(one.provider.api, one.provider.type) is None:
            by_key[one.key].append(one)
    for sharing in by_key.values():
        if len(sharing) == 1 or all(one.policy and one.policy.field for one in sharing):
            continue
        for one in sharing:
            others = ", ".join(repr(shown(other.provider.id)) for other in sharing if other is not one)
            message = (
                f"reads {one.field} like {others}, so a caller's headers for one go to the other; give each its own "
                "`field`, or all the same `field` if that is intended"
            )
            yield finding_at(config, one.provider.setting_path, one.provider, Level.WARNING, message)


def _shared_ids(config: RunConfig, checked: Sequence[Checked]) -> Iterator[Finding]:
    """Yield each provider whose id one of another API has, too."""
    apis: dict[str, set[str]] = defaultdict(set)
    for one in checked:
        apis[one.provider.id].add(one.provider.api)
    for one in checked:
        if one.is_active and (others := apis[one.provider.id] - {one.provider.api}):
            message = (
                f"a provider of {', '.join(sorted(others))} has extra headers and the same id, so metrics and records "
                "do not tell them apart; give it another id"
            )
            yield finding_at(config, (*one.provider.path, "provider_id"), one.provider, Level.WARNING, message)
