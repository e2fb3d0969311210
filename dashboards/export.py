"""Every file that the package offers, by its path: what is committed under `generated/`, and what an export writes.

The dashboards are read as they were generated, so that an installed package needs no Grafana SDK; the rest is built
here from the same functions that built the committed files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import yaml

from . import alertmanager, kubernetes, provisioning
from .alerts import rule_groups
from .tuning import DEFAULT_RUNBOOKS

DASHBOARDS: Final = ("extra-headers-overview.json", "extra-headers-provider.json")

_HEADER = "# Written by extra-headers-forwarding ({note}).\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may choose."""

    runbooks: str = DEFAULT_RUNBOOKS
    """Base URL of the runbooks in alerts."""
    receiver_url: str = alertmanager.DEFAULT_RECEIVER_URL
    """Base URL of the webhooks in the Alertmanager example."""


def committed_dashboards() -> dict[str, str]:
    """Return the dashboards' JSON by file name, from the package's data."""
    folder = files("extra_headers.dashboards") / "generated" / "grafana" / "dashboards"
    return {name: (folder / name).read_text(encoding="utf-8") for name in DASHBOARDS}


def build(dashboards: Mapping[str, str], options: Options | None = None) -> dict[str, str]:
    """Return the content of every file by its path, whose first folder is the part of the export that it belongs to.

    Args:
        dashboards: JSON by file name.
        options: what the user chose.

    """
    options = options or Options()
    groups = rule_groups(runbooks=options.runbooks)
    scrape = provisioning.prometheus_config(
        ["host.docker.internal:9464"], "alertmanager:9093", "/etc/prometheus/rules.yaml"
    )
    routes = alertmanager.alertmanager_config(options.receiver_url)
    return {f"grafana/dashboards/{name}": text for name, text in dashboards.items()} | {
        "grafana/provisioning/datasources/extra-headers.yaml": _yaml(provisioning.data_sources()),
        "grafana/provisioning/dashboards/extra-headers.yaml": _yaml(provisioning.dashboard_provider()),
        "prometheus/rules.yaml": _yaml(groups),
        "prometheus/prometheus.yml": _yaml(scrape),
        "alertmanager/alertmanager.yaml": _yaml(routes, "an example: put your receivers in"),
        "kubernetes/prometheus-rule.yaml": _yaml(kubernetes.prometheus_rule(groups)),
        "kubernetes/dashboards.yaml": _yaml(kubernetes.dashboard_config_map(dashboards)),
        "compose.yaml": _yaml(provisioning.compose_file(), "start with: docker compose up"),
    }


class _BlockText(yaml.SafeDumper):
    """Writes texts of several lines as such: expressions and dashboards are for people to read."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the library's signature
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_BlockText.add_representer(str, _represent_text)


def _yaml(content: Mapping[str, object], note: str = "extra-headers dashboards export") -> str:
    body: str = yaml.dump(dict(content), Dumper=_BlockText, sort_keys=False, width=110, allow_unicode=True)
    return _HEADER.format(note=note) + body
