# Everything that is made goes below ./var. VENV=/path uses another virtual environment, and installs nothing.
VENV ?= var/venv
PYTHON := $(VENV)/bin/python
export RUFF_CACHE_DIR := $(CURDIR)/var/cache/ruff
export MYPY_CACHE_DIR := $(CURDIR)/var/cache/mypy

.PHONY: help run doctor test check fmt translations soak install-test bench clean tools

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

run: ## start everything on this machine: PostgreSQL, Asterisk, agent and web (Ctrl-C stops it)
	@deploy/embedded/bootstrap run
	@exec var/venv/bin/python -m deploy.embedded.run

doctor: ## look at all that `make run` has started, and say what is wrong and what to do
	@var/venv/bin/python -m deploy.embedded.run doctor

# Side by side, for there are two cores and most of these mostly wait: each of the folders, and all the others together.
BESIDE := calls browser api web
OTHERS := $(filter-out $(BESIDE:%=tests/%/) tests/bench/ tests/install/ tests/__pycache__/,$(wildcard tests/*/ tests/test_*.py))
PYTEST := $(PYTHON) -m pytest -o cache_dir=var/cache/pytest

test: check ## run every check and every test; T="tests/deploy -k kill" passes arguments to pytest
ifdef T
	$(PYTEST) $(T)
else
	@mkdir -p var/log
	@for folder in $(BESIDE); do $(PYTEST) tests/$$folder/ >var/log/tests-$$folder.log 2>&1 & beside="$$beside $$!"; done; \
	$(PYTEST) $(OTHERS); failed=$$?; \
	for run in $$beside; do wait $$run || failed=1; done; \
	cat $(BESIDE:%=var/log/tests-%.log); \
	exit $$failed
endif

check: tools ## check format, lint, types and vendored files
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(PYTHON) tools/vendor_assets.py --check

fmt: tools ## format the code and repair what ruff can
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

translations: tools ## collect the texts for the translators, and compile what they wrote
	$(VENV)/bin/pybabel -q extract -F webapp/babel.cfg -k gettext -k ngettext:1,2 -k lazy_gettext -k N_ \
		--no-location --omit-header -o var/messages.pot webapp
	$(VENV)/bin/pybabel -q update -i var/messages.pot -d webapp/translations -l pt_BR --no-fuzzy-matching \
		--ignore-obsolete --width 110
	$(VENV)/bin/pybabel -q compile -d webapp/translations

soak: tools ## kill each part in turn during traffic, and try every fault longer and harder (a quarter of an hour)
	SOAK=1 $(PYTEST) -s tests/calls/test_killings.py
	SOAK=1 $(PYTEST) tests/faults/

install-test: tools ## install, upgrade, damage and restore on a clean Debian 12 below ./var (root; SUITE=trixie, noble: others)
	$(PYTHON) -m tests.install.prove

bench: tools ## measure, each beside its rival; B="capacity" measures one part (docs/benchmarks.md lists them)
	$(PYTHON) -m tests.bench $(B)

clean: ## remove ./var: packages, databases, logs and secrets
	rm -rf var

tools:
ifeq ($(VENV),var/venv)
	@deploy/embedded/bootstrap test
endif
