# Every target works as the first command after `git clone`: it installs what it needs, and is quick when it is there.
VENV := .venv
PYTHON := $(VENV)/bin/python
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
STAMP := $(VENV)/.installed
SOURCES := $(shell find forwarding telemetry dashboards -type f -not -path '*/node_modules/*' \
	\( -name '*.py' -o -name '*.yaml' -o -name '*.json' \) 2>/dev/null)

.PHONY: help install demo test check format docs lock clean dashboards tools pictures fuzz soak bench

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## create .venv with everything pinned in requirements-dev.lock

demo: install ## run the story: a recording provider, a real OGX server, hostile callers
	@$(VENV)/bin/extra-headers demo $(ARGS)

test: install tools check ## all checks and tests
	@echo "== tests (real servers start; about ten minutes)"
	@$(VENV)/bin/pytest $(ARGS)

check: install ## lint, format and types
	@echo "== ruff, mypy"
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy -p extra_headers.forwarding -p extra_headers.telemetry -p extra_headers.dashboards
	@$(VENV)/bin/mypy tests examples benchmarks

format: install ## format the code
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

docs: install ## write the generated parts of the documentation (one comes from a real server: two minutes)
	@$(PYTHON) -m extra_headers.telemetry.reference > docs/telemetry.md
	@$(PYTHON) -m extra_headers.forwarding.cli.reference > docs/configuration.md
	@$(VENV)/bin/extra-headers schema > docs/extra-headers.schema.json
	@$(PYTHON) -m tests.providers.matrix > docs/providers.md.new
	@mv docs/providers.md.new docs/providers.md

lock: | $(UV) ## pin the development environment anew
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--group dev --extra ogx pyproject.toml --no-header --output-file requirements-dev.lock $(ARGS)

clean: ## remove everything that was built or installed
	rm -rf $(VENV) .venv-litellm .tools build dist *.egg-info

.tools/bin/uv:
	@echo "== installing uv into .tools"
	@python3 -m venv .tools
	@.tools/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9'

$(VENV)/.created: .python-version | $(UV)
	@echo "== creating $(VENV) with Python $$(cat .python-version)"
	@$(UV) venv --quiet --allow-existing $(VENV)
	@touch $@

$(VENV)/.locked: requirements-dev.lock $(VENV)/.created
	@echo "== installing the pinned development environment (a minute the first time)"
	@$(UV) pip install --quiet --python $(PYTHON) --compile-bytecode --require-hashes --requirements \
		requirements-dev.lock
	@touch $@

# Strict editable mode links single files, so a new file needs a new install.
$(STAMP): $(VENV)/.locked pyproject.toml $(SOURCES)
	@$(UV) pip install --quiet --python $(PYTHON) --no-deps --editable .
	@touch $@

tools: ## install Prometheus and Alertmanager for the tests (apt, as root on Debian; else says what to do)
	@tests/dashboards/install-tools.sh

dashboards: install ## generate dashboards/generated anew
	@$(PYTHON) -m extra_headers.dashboards.generate

pictures: install ## draw docs/images from a live Prometheus with Grafana's own components (five minutes)
	@tests/dashboards/install-tools.sh pictures
	@$(PYTHON) -m tests.dashboards.pictures $(ARGS)

fuzz: install ## look for inputs that break a law, from where the last run ended (ARGS=-max_total_time=3600)
	@$(PYTHON) -m tests.fuzz .fuzz -max_total_time=60 $(ARGS)

soak: install ## 20,000 requests, half of them hostile or cancelled, with the add-on and without (15 minutes)
	@$(PYTHON) -m tests.load $(ARGS)

bench: install .venv-litellm/.installed ## what it costs, side by side with OGX and LiteLLM (five minutes)
	@$(PYTHON) -m benchmarks $(ARGS)

# An environment of its own: nothing of LiteLLM gets into the project's.
.venv-litellm/.installed: benchmarks/litellm.lock $(STAMP)
	@echo "== installing LiteLLM into .venv-litellm, to compare with"
	@$(UV) venv --quiet --allow-existing --python $$(cat .python-version) .venv-litellm
	@$(UV) pip install --quiet --python .venv-litellm/bin/python --only-binary :all: --require-hashes \
		--requirements benchmarks/litellm.lock
	@$(UV) pip install --quiet --python .venv-litellm/bin/python --no-deps --editable .
	@touch $@
