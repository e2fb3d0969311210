"""Every file that the package offers, by its path: what is committed under `generated/`, and what an export writes.

The dashboards are read as they were generated, so that an installed package needs no Grafana SDK; the rest is built
here from the same functions that built the committed files.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import yaml

try:
    from yaml import CSafeDumper as SafeDumper
except ImportError:  # PyYAML was built without libyaml: the same text, eight times slower
    from yaml import SafeDumper  # type: ignore[assignment]

from . import alertmanager, kubernetes, provisioning, values_file
from .alerts import alerts, rule_groups
from .tuning import DEFAULT_RUNBOOKS, Tuning

DASHBOARDS: Final = ("extra-headers-overview.json", "extra-headers-provider.json")

_DATA: Final = files("extra_headers.dashboards")
_HEADER = "# Written by extra-headers-forwarding ({note}).\n"
_START_COMPOSE: Final = """\
start with: docker compose up.
# Prometheus reaches the server from a container, so set for the server:
# OGX_METRICS_ENDPOINT_ENABLED=1 OGX_METRICS_HOST=0.0.0.0"""


def committed_dashboards() -> dict[str, str]:
    """Return the dashboards' JSON by file name, from the package's data."""
    folder = _DATA / "generated" / "grafana" / "dashboards"
    return {name: (folder / name).read_text(encoding="utf-8") for name in DASHBOARDS}


def build(dashboards: Mapping[str, str], tuning: Tuning | None = None) -> dict[str, str]:
    """Return the content of every generated file by its path.

    Args:
        dashboards: JSON by file name.
        tuning: what the user chose.

    """
    tuning = tuning or Tuning()
    groups = rule_groups(tuning)
    dashboards = {
        name: text.replace(DEFAULT_RUNBOOKS, tuning.runbooks.rstrip("/")) for name, text in dashboards.items()
    }
    scrape = provisioning.prometheus_config(
        ["host.docker.internal:9464"], "alertmanager:9093", "/etc/prometheus/rules.yaml"
    )
    return {
        **{f"grafana/dashboards/{name}": text for name, text in dashboards.items()},
        "grafana/provisioning/datasources/extra-headers.yaml": _yaml(provisioning.data_sources()),
        "grafana/provisioning/dashboards/extra-headers.yaml": _yaml(provisioning.dashboard_provider()),
        "prometheus/rules.yaml": _yaml(groups),
        "prometheus/prometheus.yml": _yaml(scrape),
        "alertmanager/alertmanager.yaml": _yaml(
            alertmanager.alertmanager_config(tuning), "an example: put your receivers in"
        ),
        "kubernetes/prometheus-rule.yaml": _yaml(kubernetes.prometheus_rule(groups, tuning.kubernetes)),
        "kubernetes/pod-monitor.yaml": _yaml(kubernetes.pod_monitor(tuning.kubernetes)),
        **{
            f"kubernetes/{name.removesuffix('.json')}.yaml": _yaml(
                kubernetes.dashboard_config_map(name, text, tuning.kubernetes)
            )
            for name, text in dashboards.items()
        },
        "compose.yaml": _yaml(provisioning.compose_file(), _START_COMPOSE),
        "monitoring.yaml": values_file.example(),
        "monitoring.schema.json": values_file.schema(),
    }


def runbooks(tuning: Tuning) -> dict[str, str]:
    """Return the runbook of every alert by its path in an export."""
    folder = _DATA / "runbooks"
    return {
        f"runbooks/{alert.name}.md": (folder / f"{alert.name}.md").read_text(encoding="utf-8")
        for alert in alerts(tuning)
    }


class _BlockText(SafeDumper):
    """Writes texts of several lines as such: expressions and dashboards are for people to read."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the library's signature
        return True


def _represent_text(dumper: SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_BlockText.add_representer(str, _represent_text)


def _yaml(content: Mapping[str, object], note: str = "extra-headers dashboards export") -> str:
    body: str = yaml.dump(dict(content), Dumper=_BlockText, sort_keys=False, width=110, allow_unicode=True)
    return _HEADER.format(note=note) + body
