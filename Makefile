VENV := .venv
PY := $(VENV)/bin/python

$(VENV)/.done: pyproject.toml constraints.txt
	python3 -m venv $(VENV)
	$(PY) -m pip install -q --upgrade pip
	$(PY) -m pip install -q -c constraints.txt -e '.[duckdb,postgres,pandas,polars]' --group dev
	touch $@
