# Every target works in .venv. The only change outside of it: `make test` installs Debian's mariadb-server-core if the
# machine has no MySQL-compatible server.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench format clean

demo: .venv/demo
	$(BIN)/ddns demo

test: .venv/dev server
	$(BIN)/pytest -n auto

check: .venv/dev server
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto

bench: .venv/dev server
	$(BIN)/python -m benchmarks

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

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

.PHONY: server
server:
	@.ci/need-mysql
