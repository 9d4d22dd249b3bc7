# `make` alone lists the targets. Each target makes .venv from requirements.lock when it needs to.

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow reproduce papers lint bench bench-peers lock clean

# Python to build .venv with; found by itself where it is not given (make setup PYTHON=...).
PYTHON ?=
# More options for pytest, such as PYTEST_ARGS="-k campaign -x".
PYTEST_ARGS ?=
# More options for the benchmark, such as BENCH_ARGS="--sets a --no-campaigns".
BENCH_ARGS ?=

# What `make reproduce` runs again, and what `make papers` builds.
EXPERIMENTS ?= $(patsubst %/run.py,%,$(sort $(wildcard experiments/*/run.py)))
PAPERS ?= $(patsubst %/inputs.toml,%,$(sort $(wildcard papers/*/inputs.toml)))

VENV := .venv
BIN := $(VENV)/bin
LOCKED := $(VENV)/.locked
READY := $(VENV)/.ready

# The environment is made from the lock alone; compiled files are kept, so that imports are fast.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV CONDA_PREFIX

# One thread per linear solve: the last digits depend on the number of threads.
test test-slow bench: export OMP_NUM_THREADS := 1
test test-slow bench: export OPENBLAS_NUM_THREADS := 1

# Print the first uv on PATH that runs (a version manager's stand-in may be there and fail).
define FIND_UV
IFS=:
for folder in $$PATH; do
    if [ -x "$$folder/uv" ] && "$$folder/uv" --version >/dev/null 2>&1; then
        printf '%s\n' "$$folder/uv"
        exit 0
    fi
done
exit 1
endef

# Print a Python that the lock has wheels for: given, else on PATH, else one of pyenv (whose
# stand-ins fail where .python-version is not installed), else one that uv provides.
define FIND_PYTHON
check='import ensurepip, sys, venv; sys.exit(not (3, 12) <= sys.version_info[:2] <= (3, 14))'
accept() {
    "$$1" -c "$$check" 2>/dev/null && "$$1" -c 'import sys; print(sys.executable)'
}
if [ -n "$$PYTHON" ]; then
    accept "$$PYTHON" && exit 0
    echo "PYTHON=$$PYTHON is not a Python 3.12, 3.13 or 3.14 with venv and ensurepip." >&2
    exit 1
fi
old_ifs=$$IFS
IFS=:
for name in python3 python3.13 python3.12 python3.14 python; do
    for folder in $$PATH; do
        [ -x "$$folder/$$name" ] && accept "$$folder/$$name" && exit 0
    done
done
IFS=$$old_ifs
for python in "$${PYENV_ROOT:-$${HOME:-}/.pyenv}"/versions/3.1[234].*/bin/python3; do
    [ -x "$$python" ] && accept "$$python" && exit 0
done
if uv=$$(sh -c "$$FIND_UV"); then
    for attempt in find install; do
        [ "$$attempt" = find ] || "$$uv" python install 3.13 >&2 || break
        found=$$("$$uv" python find --no-project --managed-python '>=3.12,<3.15' 2>/dev/null) &&
            accept "$$found" && exit 0
    done
fi
echo "lift needs Python 3.12, 3.13 or 3.14 with venv, and found none. Install one of:" >&2
echo "  Debian, Ubuntu   apt install python3.13 python3.13-venv   (or 3.12)" >&2
echo "  Fedora           dnf install python3.13" >&2
echo "  macOS            brew install python@3.13" >&2
echo "  anywhere         uv (it brings Python by itself), or pyenv install 3.13" >&2
echo "or name one: make $(MAKECMDGOALS) PYTHON=path/to/python3.13" >&2
exit 1
endef
export FIND_UV FIND_PYTHON PYTHON

help:
	@echo "make setup      make the environment (.venv) from requirements.lock"
	@echo "make demo       estimate the bundled campaign: table of posts, report.html"
	@echo "make test       run the tests; those on real data too where LIFT_DATA_DIR is set"
	@echo "make test-slow  run the statistical tests, which take minutes"
	@echo "make reproduce  run the experiments at small size; hold them and the papers to the results"
	@echo "make papers     build the papers to PDF and HTML, and check their numbers"
	@echo "make lint       ruff and mypy"
	@echo "make bench      lift beside its peers: seconds per effective draw, answers, memory"
	@echo "make bench-peers  environments of the peers that cannot live in .venv (in .peers)"
	@echo "make lock       write requirements.lock anew (needs uv; LOCK_ARGS=--upgrade for newer)"
	@echo "make clean      remove .venv, caches and builds; runs/ stays"

setup: $(READY)

$(LOCKED): requirements.lock .python-version
	@set -e; \
	python=$$(sh -c "$$FIND_PYTHON"); \
	echo "Making $(VENV) with $$("$$python" --version) from requirements.lock; this takes a few minutes."; \
	rm -rf $(VENV); \
	"$$python" -m venv $(VENV); \
	if uv=$$(sh -c "$$FIND_UV") && "$$uv" pip install --quiet --python $(BIN)/python \
	    --require-hashes --compile-bytecode -r requirements.lock; then :; else \
	    $(BIN)/python -m pip install -qq --disable-pip-version-check \
	        --require-hashes -r requirements.lock; \
	fi; \
	touch $@

$(READY): $(LOCKED) pyproject.toml
	@set -e; \
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-index \
	    --no-deps --no-build-isolation --editable .; \
	$(BIN)/python -m compileall -q src; \
	echo "Compiling the engine."; \
	$(BIN)/python -m lift.engines.warm; \
	$(BIN)/python -m lift.impact.warm; \
	touch $@

demo: $(READY)
	@$(BIN)/lift demo

test: $(READY)
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

test-slow: $(READY)
	@$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

reproduce: $(READY)
	@$(BIN)/lift reproduce --smoke $(EXPERIMENTS) $(PAPERS)

papers: $(READY)
	@$(BIN)/lift paper $(PAPERS)

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(READY)
	@$(BIN)/python tests/bench/settle.py
	@$(BIN)/python tests/bench/compare.py $(BENCH_ARGS)

bench-peers: $(READY)
	@$(BIN)/python tests/bench/peers/install.py

lock:
	@uv=$$(sh -c "$$FIND_UV") || { echo "make lock needs uv" >&2; exit 1; }; \
	"$$uv" pip compile pyproject.toml --all-extras --universal --python-version 3.12 \
	    --generate-hashes --no-emit-index-url --no-emit-find-links --quiet \
	    --custom-compile-command "make lock" --output-file requirements.lock $(LOCK_ARGS)

clean:
	@rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find src tests experiments papers -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
