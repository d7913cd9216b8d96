# Every target works in .venv. The only changes outside of it: `make test` installs Debian's mariadb-server-core if the
# machine has no MySQL-compatible server, and `make systems` the clients, proxies and the browser that its tests run.
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/pytest -n auto --durations=10 --durations-min=1

.PHONY: demo test systems check bench format clean

demo: .venv/demo
	$(BIN)/ddns demo

test: .venv/dev server
	$(PYTEST)

# Programs beyond the database; pytest calls it a failure when there is no test.
systems: .venv/dev .venv/package .venv/lambda .venv/terraform-tools server
	@.ci/need-clients
	@.ci/need-chromium
	@.ci/need-dynalite
	if ls tests/systems/test_*.py >/dev/null 2>&1; then $(PYTEST) -o 'norecursedirs=.*' tests/systems; fi

check: .venv/dev server
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) --no-print-directory test systems

bench: .venv/dev server
	$(BIN)/python -m benchmarks

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m tests.package.share
	$(BIN)/python -m tests.docs.env_example >.env.example
	$(BIN)/python -m tests.docs.settings_page >docs/settings.md

clean:
	rm -rf .venv

.venv/demo: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[demo]'
	touch $@

.venv/dev: .venv/demo
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

# What looks at the built package has an environment of its own: it would change what the tests find installed.
.venv/package: .venv/demo
	$(PYTHON) -m venv .venv/tools
	.venv/tools/bin/pip install --quiet build check-wheel-contents 'hatchling>=1.27' 'twine>=6.1'
	touch $@

# What AWS has in its Python runtime, and nothing else: the tests of the functions for AWS Lambda run in it.
.venv/lambda: .venv/demo
	$(PYTHON) -m venv .venv/runtime
	.venv/runtime/bin/pip install --quiet awslambdaric boto3
	touch $@

# Terraform and what speaks its protocol need another protobuf than ours.
.venv/terraform-tools: .venv/demo tests/systems/terraform/requirements.txt
	$(PYTHON) -m venv .venv/terraform
	.venv/terraform/bin/pip install --quiet -r tests/systems/terraform/requirements.txt
	touch $@

.PHONY: server
server:
	@.ci/need-mysql
