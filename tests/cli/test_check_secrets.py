"""What `check` and `explain` must not print, and what a run config must not do to a terminal."""

import pytest

from tests.cli.conftest import Invoke, Outcome, Write, entry, provider

_SETTINGS = [
    "{allow: ['${env.CANARY}', x-a]}",
    "{allow: ['${env.CANARY}*', '${env.CANARY}-a']}",
    "{block: ['${env.CANARY}', '${env.CANARY}']}",
    "{allow: ['${env.CANARY}'], block: ['x-b', '${env.CANARY:=x}*']}",
    "{unblock: ['${env.CANARY}']}",
    "{allow: [{model_id: ''}, '${env.CANARY}', x-a]}",
    "{field: '${env.CANARY}'}",
    "{on_blocked: '${env.CANARY}'}",
    "{limits: '${env.CANARY}'}",
    "{set: {x-a: '${env.CANARY}'}}",
    "{set: {x-a: '${user.id}${env.CANARY}'}, shadow: {allow: ['${env.CANARY}']}}",
    "{from_request: ['${env.CANARY}', x-a]}",
    "{from_request: {x-a: '${env.CANARY}'}}",
    "{from_request: ['${env.CANARY}'], block: ['x-b', '${env.CANARY}']}",
    "'${env.CANARY}'",
]
_CANARIES = ["sk-Canary_1", "Bearer sk-Canary_1", "sk-Canary_1\u00e9", "sk*Canary_1", f"sk-Canary_1{'a' * 500}"]


@pytest.mark.parametrize("form", ["text", "json", "github"])
@pytest.mark.parametrize("canary", _CANARIES, ids=lambda canary: canary[:20])
def test_a_value_of_the_environment_is_never_printed(
    invoke: Invoke, write: Write, monkeypatch: pytest.MonkeyPatch, form: str, canary: str
) -> None:
    """A secret may be in the wrong setting, so no value is printed, whether it is usable there or not."""
    monkeypatch.setenv("CANARY", canary)
    for setting in _SETTINGS:
        config = provider(setting).replace("base_url: ", "api_token: ${env.CANARY}\n      base_url: ")

        done = invoke("check", "--format", form, write(config))

        assert "canary" not in done.out.replace("env.CANARY", "").lower(), setting
        assert "env.CANARY" in done.out or "'drop' or 'reject'" in done.out or form == "github", setting


@pytest.mark.parametrize("form", ["text", "json", "github"])
@pytest.mark.parametrize("limit", ["max_headers", "max_name_bytes", "max_value_bytes", "max_total_bytes"])
def test_a_number_of_the_environment_is_never_printed(
    invoke: Invoke, write: Write, monkeypatch: pytest.MonkeyPatch, form: str, limit: str
) -> None:
    """A number may be a secret in the wrong setting: neither it nor what follows from it is printed."""
    for number in ("77", "5777", "65477", "1077777"):
        monkeypatch.setenv("CANARY", number)

        done = invoke("check", "--format", form, write(provider(f"{{limits: {{{limit}: '${{env.CANARY}}'}}}}")))

        assert "77" not in done.out, (number, done.out)
        assert "env.CANARY" in done.out or done.exit_code or form == "github"


def test_explain_prints_no_value_of_the_environment(
    invoke: Invoke, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value is neither in a decision nor in the reason why the command cannot decide."""
    for canary in _CANARIES:
        monkeypatch.setenv("CANARY", canary)
        for setting in _SETTINGS:
            done = invoke("explain", write(provider(setting)), "-H", "X-A: 1", "-H", "X-B: 1")
            assert "canary" not in (done.out + done.err).replace("env.CANARY", "").lower(), setting


@pytest.mark.parametrize("form", ["text", "json"])
def test_ids_and_types_of_the_environment_are_shown_as_written(
    invoke: Invoke, write: Write, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """`${env.VLLM_API_TOKEN}` for `${env.VLLM_API_TOKEN:+vllm}` is a mistake that must not print the token.

    Found by fuzzing: it was printed where the token is a number, and where an id is no text but has the token in it.
    """
    for canary in ("sk-canary", "31415926"):
        monkeypatch.setenv("CANARY", canary)
        for ref in ("${env.CANARY}", "{a: '${env.CANARY}'}", "[['${env.CANARY}']]"):
            config = provider("{}", provider_id=ref, kind=ref) + entry(ref, "inline::x") + entry(ref, "inline::x", "{}")
            _shows_no(canary, invoke("check", "--format", form, write(config)), "${env.CANARY}")
        for ref in ("os.environ/CANARY", "{a: os.environ/CANARY}", "[{a: [os.environ/CANARY]}, os.environ/CANARY]"):
            params = f"{{model: {ref}, custom_llm_provider: {ref}}}"
            model = (
                f"{{model_name: {ref}, litellm_params: {params}, model_info: {{extra_headers: {{set: {{x-a: b}}}}}}}}"
            )
            config = (
                f"model_list: [{model}, {model.replace('x-a: b', 'x-b: b')}]\nlitellm_settings: {{callbacks: [{ref}]}}"
            )
            _shows_no(canary, invoke("check", "--format", form, write(config)), "os.environ/CANARY")


def _shows_no(canary: str, done: Outcome, reference: str) -> None:
    assert canary not in done.out + done.err
    assert reference in done.out


def test_nothing_else_of_a_provider_is_shown(invoke: Invoke, write: Write) -> None:
    """A provider's key and the values of its headers are not printed."""
    config = provider("{}").replace(
        "base_url: ", "api_token: canary\n      network: {headers: {X-A: canary, X-A: canary}}\n      base_url: canary"
    )

    done = invoke("check", write(config))

    assert done.exit_code == 1
    assert "canary" not in done.out


def test_markup_and_control_codes_are_written_out(invoke: Invoke, write: Write) -> None:
    """A run config cannot control the terminal."""
    done = invoke("check", write(provider("{allow: ['[bold]x', \"y\\e[31m\"]}", provider_id='"[red]a\\e[31m\\nb"')))

    assert "[red]a\\x1b[31m\\nb  remote::vllm  unusable" in done.out
    assert "'[bold]x' can never match" in done.out
    assert "\x1b" not in done.out
