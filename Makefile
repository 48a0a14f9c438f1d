# make convert     environment, default design, comparison, report
# make check       lint, types, fast tests
# make test        everything a release needs
# make test-long   what takes longer
PYTHON ?= python3.11
CONFIG ?= configs/w8a8.yml
ENV := .venv
RUN := $(ENV)/bin/python
JOBS ?= 2
PYTEST := $(RUN) -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

.PHONY: convert check test test-long lint verify bench calibrate pictures clean

convert: $(ENV)/installed
	$(RUN) scripts/convert.py --config $(CONFIG)

check: $(ENV)/installed lint
	$(PYTEST) -m "not slow and not long"

test: $(ENV)/installed lint
	$(PYTEST) -m "not long"

test-long: $(ENV)/installed
	$(PYTEST) -m long

lint: $(ENV)/installed
	$(RUN) -m ruff check .
	$(RUN) -m mypy

# Every shipped design with both backends at full size: about half an hour on two cores.
verify: $(ENV)/installed
	for config in stock w8a8 w4a4 mixed extreme; do for backend in Vitis Vivado; do \
	    $(RUN) scripts/convert.py --config configs/$$config.yml --set hls.backend=$$backend \
	        --set comparison.images=4 --output hls_project/verify/$$backend || exit 1; \
	done; done

# C-simulation of stock hls4ml and ours side by side, then of a folded design: about five minutes on two idle cores.
bench: $(ENV)/installed
	$(RUN) scripts/bench.py --config configs/stock.yml
	$(RUN) scripts/bench.py --config configs/w4a4.yml

# The reports of the shipped designs as pictures for the docs, by Chromium: four minutes.
pictures: $(ENV)/installed
	mkdir -p docs/pictures
	QMFN_SCREENSHOTS=docs/pictures $(RUN) -m pytest tests/report/test_screenshots.py

# Refit the estimates to real reports (../shared/synthesis) and measure them on held-out repositories: a minute.
calibrate: $(ENV)/installed
	$(RUN) scripts/calibrate.py

$(ENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(ENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .[test]
	touch $@

clean:
	rm -rf $(ENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis hls_project/*/
