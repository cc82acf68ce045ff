# Everything starts here: `make demo` shows what dnnprov does, `make test` tests it. Each makes its own virtual
# environment beside this file; nothing is installed anywhere else.

PYTHON ?= python3
DEMO := .venv-demo
TEST := .venv-test
OLDEST := .venv-oldest
NEWEST := .venv-newest
OUTPUT ?= demo-output
ROUNDS ?= 200
# Processes that share the tests: one a core, but no more than four, each of which loads every framework. 0: this one alone.
WORKERS ?= logical

PYTEST = $(TEST)/bin/python -m pytest --numprocesses $(WORKERS) --maxprocesses 4 --dist worksteal

.PHONY: help demo test check docs docs-generate format bench bench-large versions kill-rounds many-processes clean

help:
	@echo "make demo         train AlexNet on flower photos and ask its provenance (some minutes)"
	@echo "make test         run every test, shared between the cores (WORKERS=0: one after the other)"
	@echo "make check        format, lint, types, import contracts and every test, as CI does"
	@echo "make docs         build the site of the documentation"
	@echo "make docs-generate  write anew what its pages take from the code"
	@echo "make format       let ruff format and mend what it can"
	@echo "make bench        measure everything and write the page of it (ONLY=\"log_call ingest\" for some, no page)"
	@echo "make bench-large  measure what takes minutes and gigabytes, and write its page"
	@echo "make versions     test the integrations with the oldest and the newest versions of the frameworks (15 GB, 20 minutes)"
	@echo "make kill-rounds  kill $(ROUNDS) recorders, followers and readers each, and count what is in the database"
	@echo "make many-processes  let 64 processes make 20,000 log calls each at once, and count them all"
	@echo "make clean        remove what these commands made"

demo: $(DEMO)/ready
	$(DEMO)/bin/python examples/alexnet_flowers17.py --output $(OUTPUT) $(DEMO_OPTIONS)

test: $(TEST)/ready
	$(PYTEST)

check: $(TEST)/ready
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/ruff check .
	$(TEST)/bin/mypy
	$(TEST)/bin/lint-imports
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-fail-under=90

docs: $(TEST)/ready
	$(TEST)/bin/python -m sphinx -W --keep-going -n -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

docs-generate: $(TEST)/ready
	$(TEST)/bin/python docs/generate.py

format: $(TEST)/ready
	$(TEST)/bin/ruff format .
	$(TEST)/bin/ruff check --fix .

# Exits with 1 where a figure missed its reach; the table says which.
bench: $(DEMO)/ready-for-bench
	$(DEMO)/bin/python -m benchmarks $(if $(ONLY),$(ONLY),--markdown docs/reference/benchmarks.md)

bench-large: $(DEMO)/ready-for-bench
	$(DEMO)/bin/python -m benchmarks --large $(if $(ONLY),$(ONLY),--markdown docs/reference/benchmarks-large.md)

# Notes in tests/versions.json what the tests show with each; the table in the docs is made of that.
# ONLY="optuna jax" for some frameworks; the others stay as they were noted.
versions: $(OLDEST)/ready $(NEWEST)/ready
	$(OLDEST)/bin/python tests/versions.py oldest $(ONLY)
	$(NEWEST)/bin/python tests/versions.py newest $(ONLY)
	$(NEWEST)/bin/python docs/generate.py

kill-rounds: $(TEST)/ready
	$(TEST)/bin/python tests/kill_rounds.py $(ROUNDS)

many-processes: $(TEST)/ready
	$(TEST)/bin/python tests/many_processes.py

clean:
	rm -rf $(DEMO) $(TEST) $(OLDEST) $(NEWEST) $(OUTPUT) docs/_build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage

# pip must know dependency groups (25.1), which the pip of an older Python does not.
$(DEMO)/ready: pyproject.toml
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(DEMO)/bin/python -m pip install --quiet --editable ".[prov,tensorboard,server]" --group demo
	touch $@

# What the demo needs, and the frameworks which only benchmarks train with; torch first and by itself, as below.
$(DEMO)/ready-for-bench: $(DEMO)/ready
	$(DEMO)/bin/python -m pip install --quiet torch==2.13.0
	$(DEMO)/bin/python -m pip install --quiet --group bench
	touch $@

# torch by itself and first, so that no other package asks for a newer one. Python compiles what is imported, a
# part of the whole; pip would compile all of it.
$(TEST)/ready: pyproject.toml
	$(PYTHON) -m venv $(TEST)
	$(TEST)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(TEST)/bin/python -m pip install --quiet --no-compile torch==2.13.0
	$(TEST)/bin/python -m pip install --quiet --no-compile --editable ".[prov,pandas,server]" --group demo --group test --group check --group docs
	touch $@

# The oldest torch comes with CUDA: there is no other in the package index.
$(OLDEST)/ready: pyproject.toml tests/oldest_versions.txt
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(OLDEST)/bin/python -m pip install --quiet --constraint tests/oldest_versions.txt --editable ".[prov,pandas,server]" --group versions
	touch $@

$(NEWEST)/ready: pyproject.toml
	$(PYTHON) -m venv $(NEWEST)
	$(NEWEST)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(NEWEST)/bin/python -m pip install --quiet torch==2.13.0
	$(NEWEST)/bin/python -m pip install --quiet --editable ".[prov,pandas,ray,server]" --group demo --group test
	touch $@
