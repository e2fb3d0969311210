# Every target works as the first command after `git clone`: it installs what it needs, and is quick when it is there.
VENV := .venv
PYTHON := $(VENV)/bin/python
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)

# The tests start a hundred programs, and each would compile the add-on's modules anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install demo test test-unit coverage test-server test-llama-stack test-litellm test-oldest \
	test-oldest-llama-stack test-oldest-ogx test-python check format docs docs-litellm lock clean dist dashboards \
	tools pictures terminals fuzz soak bench

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

install: $(VENV)/.installed ## create .venv with everything pinned in locks/dev.lock

demo: install ## see it work: a recording provider, a real OGX server, hostile callers
	@$(VENV)/bin/extra-headers demo $(ARGS)

# No two workers share a server or a port, so that they can run at once (ARGS="-n 4" for more); tests/schedule.py.
PYTEST := pytest -n 2 --dist loadfile --no-loadscope-reorder
# Tests with servers wait half of the time.
PYTEST_WITH_SERVERS := $(PYTEST) -n 3

# One of two waits or uses one core, and no test is timed. Each prints its output when it has ended.
IN_PAIRS := $(MAKE) --no-print-directory --jobs 2 --output-sync=target

test: ## all checks and tests
	@$(IN_PAIRS) check coverage
	@$(MAKE) --no-print-directory test-server
	@$(IN_PAIRS) test-llama-stack test-litellm test-oldest-llama-stack test-oldest-ogx
	@$(VENV)/bin/coverage report --format=total | sed 's/^/== branch coverage of the tests without servers, in %: /'

test-unit: install ## the tests that start no server (about a minute)
	@echo "== tests without servers"
	@$(VENV)/bin/$(PYTEST) -m "not server" $(ARGS)

coverage: install tools ## the same, with the branches that they cover
	@echo "== tests without servers, branch coverage measured"
	@rm -rf .coverage && mkdir .coverage
	@$(VENV)/bin/coverage run -m $(PYTEST) -m "not server" $(ARGS)
	@$(VENV)/bin/coverage combine --quiet
	@$(VENV)/bin/coverage report

test-server: install tools ## the tests with real servers, newest versions, OGX as the host
	@echo "== tests with real servers"
	@$(VENV)/bin/$(PYTEST_WITH_SERVERS) -m server $(ARGS)

test-llama-stack: .venv-llama-stack/.installed ## the tests of a host, with llama-stack
	@echo "== llama-stack: its server, and every provider type that it knows"
	@.venv-llama-stack/bin/$(PYTEST) tests/server tests/hosts tests/llama_stack tests/mcp $(ARGS)

test-litellm: .venv-litellm/.installed ## the tests of a host, with LiteLLM
	@echo "== LiteLLM: its proxy, and every endpoint that leads to a provider"
	@.venv-litellm/bin/$(PYTEST) tests/litellm $(ARGS)

# What the versions matter to: pydantic's models, both SDKs' clients, OpenTelemetry, prometheus-client, and the host itself.
# Hosts start for real, which costs no more: there are one or two.
# The oldest package mcp that llama-stack takes follows redirects, so the add-on refuses MCP providers there.
TESTS_OF_OLDEST := tests/hosts tests/core/test_policy.py tests/core/test_unusable_settings.py \
	tests/clients/test_every_kind.py tests/clients/test_openai.py tests/clients/test_httpx.py \
	tests/clients/test_final_request.py tests/clients/test_kept_state.py \
	tests/clients/test_middleware.py \
	tests/telemetry/test_spans.py tests/telemetry/test_metrics.py tests/telemetry/test_audit.py \
	tests/server/test_in_process.py tests/server/test_endpoints.py

test-oldest: ## the tests of what versions matter to, with the oldest
	@$(IN_PAIRS) test-oldest-llama-stack test-oldest-ogx

test-oldest-llama-stack: .venv-oldest-llama-stack/.installed
	@echo "== the oldest versions, with llama-stack and openai 2"
	@.venv-oldest-llama-stack/bin/$(PYTEST) -n 1 --start-for-real $(TESTS_OF_OLDEST) $(ARGS)

test-oldest-ogx: .venv-oldest-ogx/.installed
	@echo "== the oldest versions, with OGX and openai 3"
	@.venv-oldest-ogx/bin/$(PYTEST) -n 1 --start-for-real $(TESTS_OF_OLDEST) tests/mcp/test_tool_runtime.py $(ARGS)

test-python: | $(UV) ## the tests without servers, on each newer Python that is installed
	@UV=$(UV) tests/on-each-python.sh -n 2 --dist loadfile $(ARGS)

check: install ## lint, format, imports, types and prose
	@echo "== ruff, lint-imports, mypy, prose"
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/mypy -p extra_headers.forwarding -p extra_headers.telemetry -p extra_headers.dashboards
	@$(VENV)/bin/mypy tests examples benchmarks
	@$(PYTHON) -m tests.docs.prose

format: install ## format the code
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

docs: install ## write the generated parts of the documentation (one comes from a real server: two minutes)
	@$(PYTHON) -m extra_headers.telemetry.reference > docs/telemetry.md
	@$(PYTHON) -m extra_headers.forwarding.cli.reference > docs/configuration.md
	@$(PYTHON) -m extra_headers.forwarding.cli.command_reference > docs/cli.md
	@$(VENV)/bin/extra-headers schema > docs/extra-headers.schema.json
	@sed -i '/^<!-- Generated/q' docs/blocklist.md
	@$(VENV)/bin/extra-headers blocklist --format markdown >> docs/blocklist.md
	@$(PYTHON) -m tests.providers.matrix > docs/providers.md.new
	@mv docs/providers.md.new docs/providers.md

docs-litellm: .venv-litellm/.installed ## write the table of endpoints in docs/litellm.md from what a proxy does
	@.venv-litellm/bin/python -m tests.litellm.matrix

LOCK := $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	pyproject.toml

lock: | $(UV) ## pin the environments anew (ARGS=--upgrade: with the newest versions of today)
	$(LOCK) --group dev --extra ogx --output-file locks/dev.lock $(ARGS)
	$(LOCK) --group test --group providers-llama-stack --extra llama-stack \
		--output-file locks/llama-stack.lock $(ARGS)
	$(LOCK) --group test --extra litellm --output-file locks/litellm.lock $(ARGS)
	$(LOCK) --group test --extra ogx --resolution lowest-direct --output-file locks/oldest-ogx.lock $(ARGS)
	$(LOCK) --group test --extra llama-stack --resolution lowest-direct \
		--output-file locks/oldest-llama-stack.lock $(ARGS)

dist: | $(UV) ## build a wheel into dist/
	@rm -rf dist
	@$(UV) build --quiet --wheel --out-dir dist
	@ls dist/*.whl

clean: ## remove everything that was built or installed
	rm -rf .venv .venv-* .tools build dist *.egg-info

.tools/bin/uv:
	@echo "== installing uv into .tools"
	@python3 -m venv .tools
	@.tools/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9'

# Every environment is made the same way: .venv from locks/dev.lock, .venv-NAME from locks/NAME.lock.
define INSTALL
@echo "== installing $< into $(@D) (a minute the first time)"
@$(UV) venv --quiet --allow-existing --python "$$(cat .python-version)" $(@D)
@$(UV) pip sync --quiet --compile-bytecode --python $(@D)/bin/python --require-hashes $<
@$(UV) pip install --quiet --python $(@D)/bin/python --no-deps --editable .
@touch $@
endef

.venv/.installed: locks/dev.lock pyproject.toml .python-version | $(UV)
	$(INSTALL)

.venv-%/.installed: locks/%.lock pyproject.toml .python-version | $(UV)
	$(INSTALL)

tools: ## install Prometheus, Alertmanager, HAProxy, libfaketime and Node.js for the tests (apt, as root on Debian; else says what to do)
	@tests/dashboards/install-tools.sh

dashboards: install ## generate dashboards/generated anew
	@$(PYTHON) -m extra_headers.dashboards.generate

pictures: install ## draw docs/images from a live Prometheus with Grafana's own components (five minutes)
	@tests/dashboards/install-tools.sh pictures
	@$(PYTHON) -m tests.dashboards.pictures $(ARGS)

terminals: install ## draw what check, explain and watch print into docs/images
	@$(PYTHON) -m tests.docs.terminals

fuzz: install ## look for inputs that break a law, from where the last run ended (ARGS=-max_total_time=3600)
	@$(PYTHON) -m tests.fuzz .fuzz -max_total_time=60 $(ARGS)

soak: install ## 20,000 callers, two in five hostile or cancelled, while servers are killed and disks are full (15 minutes)
	@$(PYTHON) -m tests.load $(ARGS)

bench: install .venv-litellm/.installed ## what it costs, side by side with OGX and LiteLLM (half an hour)
	@$(PYTHON) -m benchmarks $(ARGS)
