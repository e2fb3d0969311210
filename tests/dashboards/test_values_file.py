"""The values file: wrong values are named with the fix, and all others give rules that Prometheus accepts."""

import random
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydantic import ValidationError

from extra_headers.dashboards.alerts import rule_groups
from extra_headers.dashboards.cli import dashboards
from extra_headers.dashboards.export import _yaml
from extra_headers.dashboards.tuning import DEFAULT_RUNBOOKS, Tuning, duration
from tests.dashboards.programs import run

ROOT = Path(__file__).parents[2]

# Each mapping repeats the one before nine times.
_BOMB = "a0: &a0 {a: 1}\n" + "".join(
    f"a{i}: &a{i} {{{', '.join(f'{key}: *a{i - 1}' for key in 'abcdefghi')}}}\n" for i in range(1, 30)
)
WRONG = {
    "flor: 3": "flor: unknown key; did you mean floor?",
    "kubernetes: {namespac: a}": "kubernetes.namespac: unknown key; did you mean namespace?",
    "window: 10 minutes": "window: must be a duration such as 30s, 10m, 1h or 7d",
    "gone_after: 9999w": "gone_after: input should be less than or equal to",
    "floor: 0": "floor: input should be greater than or equal to 1",
    "floor: 9999999999": "floor: input should be less than or equal to",
    "window: 2h": "window must be shorter than slow_window",
    "{season: 10m, window: 10m}": "season must be longer than two windows",
    "season: 20m": "season must be longer than two windows",
    "baseline: 30m": "slow_window must not be longer than baseline",
    "group_by: [job, provider]": "group_by must not contain provider",
    "group_by: [job, season]": "group_by must not contain season",
    "severities: {ExtraHeadersSpike: critical}": "severities.ExtraHeadersSpike",
    "labels: {severity: page}": "labels must not contain severity",
    "labels: {__name__: a}": "labels must not contain __name__",
    "labels: {team: '{{ .x'}": "labels.team: string should match pattern",
    "matchers: ['job=ogx']": "matchers.0: string should match pattern",
    r"""matchers: ['job="a\"']""": "matchers.0: string should match pattern",
    r"""matchers: ['job="\x"']""": "matchers.0: string should match pattern",
    """matchers: ['job=~"("']""": "matchers.0: is not a valid regular expression",
    """matchers: ['job=~"(?=a)"']""": "matchers.0: must not contain lookarounds",
    """matchers: ['__name__="a"']""": "matchers.0: must not select by __name__",
    "runbooks: docs/runbooks": "runbooks: string should match pattern",
    "runbooks: 'https://wiki.example/{{a}}'": "runbooks: string should match pattern",
    "a: [": "not valid YAML",
    "[" * 1000: "not valid YAML: it is nested too deeply",
    "floor: 2026-13-45": "not valid YAML: invalid number or date",
    "floor: !!int many": "not valid YAML: invalid number or date",
    f"{_BOMB}severities: *a29": "severities.a: must be text",
    f"{_BOMB}noise_reasons: [*a29]": "noise_reasons.0: must be text",
    "[]": "must be a mapping",
}


def _export(*arguments: str | Path) -> Result:
    return CliRunner().invoke(dashboards, ["export", *map(str, arguments)])


def test_wrong_values_are_named(tmp_path: Path) -> None:
    """Every wrong key and value is named with the fix, nothing is written, and the exit code is 2."""
    values = tmp_path / "values.yaml"
    for text, expected in WRONG.items():
        values.write_text(text, encoding="utf-8")
        result = _export("--config", values, "--out", tmp_path / "out")
        assert result.exit_code == 2, text
        assert expected in result.output, (text, result.output)
    assert not (tmp_path / "out").exists()
    assert "NAME=VALUE" in _export("--label", "release", "--out", tmp_path / "out").output


def test_accepted_values_give_valid_rules(tmp_path: Path) -> None:
    """Promtool accepts the rules of extreme values, of combinations of them, and of regular expressions."""
    chance = random.Random(16)  # noqa: S311 - the same combinations each time
    durations = [name for name, field in Tuning.model_fields.items() if isinstance(field.default, int)]
    durations = [name for name in durations if _accepts(name, "10m")]
    assert len(durations) == 15
    candidates: list[Mapping[str, object]] = [
        {name: duration(chance.choice((1, 59, 60, 600, 1201, 3600, 86_400, 315_360_000)))}
        | {other: duration(chance.choice((1, 600, 1201, 7200, 604_800))) for other in chance.sample(durations, 3)}
        for name in durations
        for _ in range(10)
    ]
    candidates += [
        {"floor": 1_000_000_000, "factor": 1_000_000_000, "noise_reasons": []},
        {"group_by": ["or", "by"], "matchers": [r'or=~"a\\.b|(?i)c[0-9]{2}"', 'by!="\\"'], "labels": {"team": "a\nb"}},
    ]
    accepted = []
    for number, values in enumerate(candidates):
        try:
            rules = _yaml(rule_groups(Tuning.model_validate(values)))
        except ValidationError:
            continue
        path = tmp_path / f"{number}.yaml"
        path.write_text(rules, encoding="utf-8")
        accepted.append(path)
    assert len(accepted) > 50
    result = run("promtool", "check", "rules", *accepted)
    assert result.returncode == 0, result.stderr


def _accepts(name: str, value: str) -> bool:
    try:
        Tuning.model_validate({name: value})
    except ValidationError as error:
        return error.errors()[0]["type"] == "value_error" and error.errors()[0]["loc"] == ()
    return True


def test_runbooks_are_in_the_projects_repository() -> None:
    """The default address of a runbook is that of the file in the repository that the package declares."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base, _, folder = DEFAULT_RUNBOOKS.partition("/blob/main/")
    assert base == project["urls"]["Repository"]
    assert (ROOT / folder / "ExtraHeadersPolicyDrift.md").is_file()


@pytest.mark.parametrize("values", [{"matchers": ['job="a\nb"']}, {"matchers": ['a="\\x"']}])
def test_strings_that_promql_cannot_read_are_refused(values: dict[str, object]) -> None:
    """A line break or an unknown escape in a matcher is refused."""
    with pytest.raises(ValidationError):
        Tuning.model_validate(values)
