"""`extra-headers explain`."""

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from .errors import UnusableInputError

if TYPE_CHECKING:
    from ..policy.identity import User
    from ..policy.mcp import McpProvider
    from ..policy.model import Policy
    from ..run_config.policies import Checked
    from ..run_config.providers import Provider, RunConfig

_EPILOG = """\b
Examples:
  extra-headers explain run.yaml -H 'X-Tenant: blue'
  extra-headers explain run.yaml --provider vllm --user ada --attribute teams=ml
  echo '{"vllm_extra_headers": {"Via": "x"}}' |
    extra-headers explain run.yaml --data -

Exits with 0 if all headers are forwarded, 1 if one is blocked or malformed, the
request is rejected, or extra headers are off, 2 if the input is unusable.
"""
_MAX_DATA = 1024 * 1024


@click.command(epilog=_EPILOG)
@click.argument("file", metavar="RUN_CONFIG", type=click.Path())
@click.option(
    "--provider",
    "wanted",
    metavar="ID",
    help="The provider's id, or the model's name. Needed if several have extra headers.",
)
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="An extra header; repeatable.")
@click.option(
    "-R",
    "--request-header",
    "plain",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="A plain request header; repeatable.",
)
@click.option(
    "--data", metavar="JSON", help="The whole provider data, or request body, instead; - reads it from standard input."
)
@click.option("--server", metavar="SERVER", help="URL or label of the MCP server, if --data has headers for several.")
@click.option("--user", "user_id", metavar="ID", help="The authenticated user, for the headers in `set`.")
@click.option("--tenant", metavar="TENANT", help="The user's tenant.")
@click.option(
    "--attribute", "attributes", multiple=True, metavar="NAME=VALUE", help="An attribute of the user; repeatable."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def explain(  # noqa: PLR0913 - the command's options
    context: click.Context,
    *,
    file: str,
    wanted: str | None,
    headers: Sequence[str],
    plain: Sequence[str],
    data: str | None,
    server: str | None,
    user_id: str | None,
    tenant: str | None,
    attributes: Sequence[str],
    form: str,
) -> int:
    """Show the decision on each header, and the rule behind it. RUN_CONFIG `-` is standard input.

    RUN_CONFIG is an OGX run config or a LiteLLM config.yaml.

    -H is a header in the provider data, or in `extra_headers` of a LiteLLM request's body. -R is a plain header of the
    caller's request, which counts if the policy lists it in `from_request`; there is none on LiteLLM. Simulates a chat
    completion, or a call to an MCP server, including the headers that the outbound request has anyway. If deployments
    of a LiteLLM model have different headers, each is shown; in JSON, as an object for each. Values are checked and
    never printed.
    """
    if headers and data is not None:
        _refuse(context, "give either headers, such as -H 'X-Tenant: blue', or the whole provider data with --data")
    if file == data == "-":
        _refuse(context, "only one of RUN_CONFIG and --data can be read from standard input")
    # It may be a value whose quotes are missing, so nothing of it is repeated.
    for option, given in (("-H", headers), ("-R", plain)):
        if any(":" not in header for header in given):
            _refuse(context, f"a header given with {option} has no colon; write {option} 'Name: value'")
    if any("=" not in attribute for attribute in attributes):
        _refuse(context, "an attribute has no `=`; write --attribute NAME=VALUE")

    from ..policy.mcp import mcp_provider  # noqa: PLC0415 - likewise
    from ..policy.provider_data import merged, taken_from_request  # noqa: PLC0415 - too slow for `--help`
    from ..run_config.explanation import explain_request  # noqa: PLC0415 - likewise
    from . import explain_output  # noqa: PLC0415 - likewise

    config, deployments, policy = _policy_of(context, file, wanted)
    checked = deployments[0]
    is_mcp = mcp_provider(checked.provider.api, checked.provider.type) is not None
    if plain and checked.provider.field is not None:
        of = "Responses" if is_mcp else config.host
        _refuse(context, f"no policy of {of} takes up plain headers; give the header with -H")
    if server is not None and (data is None or not is_mcp):
        _refuse(context, "--server chooses an MCP server in --data")
    provider_data = _from_data(context, data, checked, server) if data is not None else merged(_pairs(headers))
    received = [(name.lower(), value) for name, value in _pairs(plain)]
    caller = merged((), provider_data, taken_from_request(received, policy.from_request))
    ignored = list(dict.fromkeys(name for name, _ in received if name not in policy.from_request))
    user = _user(user_id, tenant, attributes)
    explanations = [explain_request(config, each, policy, caller, user) for each in deployments]
    show = explain_output.show_json if form == "json" else explain_output.show_text
    show(config, list(zip(deployments, explanations, strict=True)), policy, ignored)
    clean = all(each.evaluation.outcome == "clean" and each.status is None for each in explanations)
    return 0 if clean and policy.enabled else 1


def _refuse(context: click.Context, message: str) -> NoReturn:
    raise click.UsageError(message, context)


def _fail(context: click.Context, message: str) -> NoReturn:
    raise UnusableInputError(context, message)


def _user(user_id: str | None, tenant: str | None, attributes: Sequence[str]) -> "User":
    from ..policy.identity import User  # noqa: PLC0415 - too slow for `--help`

    lists: dict[str, list[str]] = defaultdict(list)
    for name, _, value in (attribute.partition("=") for attribute in attributes):
        lists[name].append(value)
    return User(user_id, tenant, lists)


def _pairs(headers: Sequence[str]) -> list[tuple[str, str]]:
    # As HTTP does, without the white space after the colon.
    return [(name, value.lstrip(" \t")) for name, _, value in (header.partition(":") for header in headers)]


def _from_data(context: click.Context, data: str, checked: "Checked", server: str | None) -> object | None:
    from ..policy.mcp import mcp_provider  # noqa: PLC0415 - too slow for `--help`
    from ..policy.provider_data import decode_object, headers_in  # noqa: PLC0415 - too slow for `--help`

    if data == "-":
        content = sys.stdin.buffer.read(_MAX_DATA + 1)
        if len(content) > _MAX_DATA:
            _fail(context, "the provider data on standard input is larger than 1 MiB; no header may be")
        try:
            data = content.decode("utf-8")
        except UnicodeDecodeError:
            _fail(context, "the provider data on standard input is not UTF-8 text")
    if data.strip() in ("", "null"):
        return None
    decoded = decode_object(data)
    if (kind := mcp_provider(checked.provider.api, checked.provider.type)) is None:
        return headers_in(decoded, checked.key)
    return _for_server(
        context, kind, decoded if kind.callers_choose_the_server else headers_in(decoded, checked.key), server
    )


def _for_server(
    context: click.Context, kind: "McpProvider", request: object | None, server: str | None
) -> object | None:
    """Return the headers for the MCP server that is asked for, or for the only one."""
    from ..policy.mcp import headers_by_server  # noqa: PLC0415 - too slow for `--help`
    from ..policy.provider_data import NOT_AN_OBJECT  # noqa: PLC0415 - likewise

    if not isinstance(request, Mapping):
        return request and NOT_AN_OBJECT
    servers = headers_by_server(kind, request)
    found = [headers for names, headers in servers if server is None or server in names]
    if len(found) > 1 or (server is not None and not found):
        _refuse(
            context, f"--data has headers for {len(servers)} MCP servers; choose one by its URL or label with --server"
        )
    return found[0] if found else None


def _policy_of(context: click.Context, file: str, wanted: str | None) -> "tuple[RunConfig, list[Checked], Policy]":
    """Return the provider that is asked for, if its policy can be used: on LiteLLM, each of its deployments."""
    from ..run_config.environment import shown  # noqa: PLC0415 - too slow for `--help`
    from ..run_config.findings import Level  # noqa: PLC0415 - likewise
    from ..run_config.policies import check_policy  # noqa: PLC0415 - likewise
    from ..run_config.yaml_document import UnusableFileError  # noqa: PLC0415 - likewise
    from . import configuration, console  # noqa: PLC0415 - likewise

    path = console.file_name(file)
    try:
        config = configuration.read(file)
    except UnusableFileError as error:
        _fail(context, f"{path} {error}")
    provider = _chosen(context, path, config, wanted)
    wrong = [finding for finding in configuration.check_provider(config, provider) if finding.level is Level.ERROR]
    checked, _ = check_policy(config, provider)
    if checked.policy is None or wrong:
        more = f"; `extra-headers check` shows {len(wrong) - 1} more" if len(wrong) > 1 else ""
        message = console.printable(f"{shown(provider.id)}: {wrong[0].message}")
        _fail(context, f"{path}:{wrong[0].line}: {message}{more}")
    # Deployments of one name have one policy, and decide alike if they send the same headers of their own.
    alike = {
        frozenset(each.outbound.items()): each
        for each in reversed(config.providers if configuration.is_litellm(config) else ())
        if each.id == provider.id and each.outbound is not None
    }
    deployments = [check_policy(config, each)[0] for each in reversed(alike.values())]
    return config, deployments or [checked], checked.policy


def _chosen(context: click.Context, path: str, config: "RunConfig", wanted: str | None) -> "Provider":
    from ..policy.mcp import mcp_provider  # noqa: PLC0415 - too slow for `--help`
    from ..run_config.environment import shown  # noqa: PLC0415 - likewise
    from .console import printable  # noqa: PLC0415 - likewise

    # Of equal ids, the host takes the last.
    providers = {
        provider.id: provider
        for provider in config.providers
        if provider.api == "inference"
        or (provider.wants_headers and mcp_provider(provider.api, provider.type) is not None)
    }
    known = printable(", ".join(map(shown, providers))) or "none"
    if wanted is not None:
        provider = next((p for p in providers.values() if wanted in (p.id, shown(p.id))), None)
        return provider or _fail(context, f"{path} has no provider '{printable(wanted)}'; it has {known}")
    # With the flag, if there are any: the others have nothing to explain.
    candidates = [p for p in providers.values() if p.wants_headers] or list(providers.values())
    if len(candidates) != 1:
        _refuse(context, f"choose a provider with --provider ID; {path} has {known}")
    return candidates[0]
