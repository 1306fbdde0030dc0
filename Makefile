# make report: ledgers to pages.  make test: all tests.  make lab: JupyterLab.
# make schemes: the other schemes of the source.  make forecast: the year ahead, early warnings.
# make judgement: studies of grades, ranks and intervals on known truths (hours).
# make validation: published numbers.  make simulation: known truths.  make bench: speed beside peers.
# make faults: kills, full disks, races, flipped bits.
# Own ledgers:  make report DATA=path/to/ledgers INITIATIVES=path/to/initiatives UNITS=path/to/units.toml

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
DEMO := data/raw/demo
TRUTH := data/truth/demo.json
DATA ?= $(DEMO)
OUT ?= reports
RUN = $(if $(INITIATIVES),--initiatives "$(INITIATIVES)") $(if $(UNITS),--units "$(UNITS)")

PEERS := .venv-peers

.PHONY: report schemes forecast test lint lab clean validation simulation judgement bench faults

report: $(VENV)/ready $(if $(filter $(DEMO),$(DATA)),$(TRUTH))
	$(BIN)/cps run --data "$(DATA)" --out "$(OUT)" $(RUN)

# Synthetic ledgers of the other schemes, an evaluation of each that can be evaluated, a card of each.
schemes: $(VENV)/ready
	$(BIN)/cps demo --scheme all
	@set -e; for id in $$(grep -l '^\[design\]' data/schemes/*.toml | xargs -n 1 basename | sed 's/[.]toml$$//'); do \
	  $(BIN)/cps run --scheme $$id --out "$(OUT)/schemes/$$id"; done
	$(BIN)/cps schemes --out "$(OUT)/schemes"

forecast: $(VENV)/ready $(if $(filter $(DEMO),$(DATA)),$(TRUTH))
	$(BIN)/cps forecast --data "$(DATA)" --out "$(OUT)/forecast" $(RUN)

test: $(VENV)/ready-test
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

lint: $(VENV)/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lab: $(VENV)/ready
	$(BIN)/cps kernel install
	$(BIN)/jupyter lab --notebook-dir=notebooks

# Our numbers beside published ones -> docs/validation.md; fails if one is off.
validation: $(VENV)/ready-test
	$(BIN)/python -m tests.validation.table $(PUBLISHED)

# Bias, coverage and size on known truths -> docs/simulation.md and what is offered by default.
simulation: $(VENV)/ready-test
	$(BIN)/python -m benchmarks.simulation $(ARGS)

# What the judgement claims, on worlds whose truth is known; each can be stopped and goes on.
judgement: $(VENV)/ready-test
	$(BIN)/python -m tests.synthesis.panel_calibration --draws 2000 --workers 2 --out reports/panels.jsonl
	$(BIN)/python -m tests.synthesis.grade_study --mode spurious --draws 400 --workers 2 --out reports/spurious.jsonl
	$(BIN)/python -m tests.synthesis.grade_study --mode true --draws 400 --workers 2 --out reports/true.jsonl

# Speed beside the fastest public peers, answers compared before times; nothing else should run.
bench: $(VENV)/ready-test $(PEERS)/ready
	$(BIN)/python benchmarks/att_speed.py --peers $(PEERS)/bin/python $(ARGS)
	$(BIN)/python benchmarks/synthetic_speed.py --peers $(PEERS)/bin/python
	$(BIN)/python benchmarks/grid_speed.py
	$(BIN)/python benchmarks/runner_speed.py
	$(BIN)/python benchmarks/runner_speed.py --many 1000

# Kills, failing writes, races, flipped bits in full counts; about half an hour.
faults: $(VENV)/ready-test
	$(BIN)/python benchmarks/faults.py $(ARGS)

$(PEERS)/ready: benchmarks/peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt
	@touch $@

# Written last; ledgers of an older generator, or of other initiatives, are written anew.
$(TRUTH): $(wildcard cps/demo/*.py) $(wildcard data/initiatives/*.toml) | $(VENV)/ready
	$(BIN)/cps demo --out $(DEMO)

$(VENV)/ready: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed (PYTHON=...); this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(PIP) setuptools
	$(PIP) --no-build-isolation --editable .
	@touch $@

$(VENV)/ready-test: $(VENV)/ready
	$(PIP) --no-build-isolation --editable '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) $(PEERS) $(DEMO) data/truth
	rm -rf reports/latest reports/complete reports/runs reports/failed reports/.store reports/.work
