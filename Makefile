# Every target works as the first command after `git clone`: it installs what it needs, and is quick when it is there.
VENV := .venv
PYTHON := $(VENV)/bin/python
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
STAMP := $(VENV)/.installed
SOURCES := $(shell find forwarding telemetry dashboards -name '*.py' 2>/dev/null)

.PHONY: help install demo test check format lock clean

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## create .venv with everything pinned in requirements-dev.lock

demo: install ## run the story: a recording provider, a real OGX server, hostile callers
	@$(VENV)/bin/extra-headers demo $(ARGS)

test: install check ## all checks and tests
	@echo "== tests (real servers start; about two minutes)"
	@$(VENV)/bin/pytest $(ARGS)

check: install ## lint, format and types
	@echo "== ruff, mypy"
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy -p extra_headers.forwarding -p extra_headers.telemetry -p extra_headers.dashboards
	@$(VENV)/bin/mypy tests

format: install ## format the code
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

lock: | $(UV) ## pin the development environment anew
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--group dev --extra ogx pyproject.toml --no-header --output-file requirements-dev.lock $(ARGS)

clean: ## remove everything that was built or installed
	rm -rf $(VENV) .tools build dist *.egg-info

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
	@$(UV) pip install --quiet --python $(PYTHON) --require-hashes --requirements requirements-dev.lock
	@touch $@

# Strict editable mode links single files, so a new file needs a new install.
$(STAMP): $(VENV)/.locked pyproject.toml $(SOURCES)
	@$(UV) pip install --quiet --python $(PYTHON) --no-deps --editable .
	@touch $@
