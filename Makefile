# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
INSTALLED := .venv/.installed
# Each process gets a half of the tests in their order, so that what a file's tests share is mostly made once.
PYTEST := $(BIN)/pytest -n 2 --dist worksteal
export PYTHONUNBUFFERED := 1

.PHONY: demo test test-all test-here test-cluster lint format clean

demo: $(INSTALLED)
	@echo "Demo: recordings are made, ten detectors, a reference and two more trained and tested; 3 to 7 minutes on 2 cores. Result: demo/results/page.html"
	@$(BIN)/python -m mimii run --configfile config/demo.yaml --cores $(CORES) --report

test: $(INSTALLED)
	@echo "Fast tests, two at a time; minutes."
	$(PYTEST) -m "not slow and not cluster"

# Two at once with --jobs: the cluster's tests mostly wait.
test-all: test-here test-cluster

test-here: $(INSTALLED)
	$(PYTEST) -m "not cluster"

# Slurm's packages are installed where this may; elsewhere the cluster's tests skip, and say why.
test-cluster: $(INSTALLED)
	$(BIN)/pytest -rs -m cluster

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint --configfile config/demo.yaml --replace-workflow-config

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

clean:
	rm -rf .venv demo .snakemake .hypothesis .mypy_cache .ruff_cache

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c "import sys; sys.version_info >= (3, 11) or sys.exit('Python 3.11 or newer is needed, and $(PYTHON) is ' + sys.version.split()[0] + '; try: make PYTHON=python3.11 $(MAKECMDGOALS)')"
	@echo "Setting up Python packages in .venv, once: 1 to 2 minutes, of which pip is silent; nothing outside this folder is changed"
	@$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
