# The commands of this project. README.md says which ones you need; `make help` lists them.

PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/sh
.SUFFIXES:
.DEFAULT_GOAL := help
.PHONY: help install develop run test test-all benchmark check format lock messages screenshots chromium servers clean

help: ## List these commands
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 10

install: .venv/runtime ## Make .venv with what the portal runs on (PYTHON=python3.12 chooses the interpreter)

develop: .venv/development ## The same, with what it is tested and checked with

run: install ## Start the portal on its own sandbox (PORT=8123, SANDBOX_PORT=9801, SANDBOX="--instances 10000")
	@exec $(BIN)/python -m portal.sandbox.demo $(SANDBOX)

test: develop chromium servers ## Run the tests, except slow ones (TESTS=tests/gateway runs some, slow ones too)
	$(PYTEST) --durations=15 $(or $(TESTS),-m "not slow" $(if $(MEASURED_LATER),$(MEASURED:%=--ignore=%)))

test-all: MEASURED_LATER := yes
test-all: test ## Run slow tests too, with more examples; measure coverage where it must be whole
	$(PYTEST) -m slow --hypothesis-profile=thorough $(MEASURED:%=--ignore=%)
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 3 -q --hypothesis-profile=thorough $(MEASURED)
	@$(BIN)/coverage combine -q
	$(BIN)/coverage report --fail-under=100 --include='$(FULLY_COVERED)' --omit="$$($(NEEDS_REDIS))"

# Tests start many Pythons, which are there in half of the time where modules are compiled once.
unexport PYTHONDONTWRITEBYTECODE

# One worker more than cores: browser and services tests wait for about half of their time.
PYTEST := $(BIN)/pytest -n 3 -q

# What must not have a branch without a test: the way upstream, the vault, the access rules. Measured are the tests that
# are about them, because measuring takes as long again as the tests.
FULLY_COVERED := portal/bycloud/*,portal/gateway/*,portal/credentials/vault.py,portal/core/crypto.py,portal/core/permissions.py,portal/accounts/middleware.py
MEASURED := tests/bycloud tests/gateway tests/credentials tests/fleet tests/accounts/test_middleware.py \
	tests/accounts/test_sessions.py tests/services/test_failover.py
# Where no Redis is installed, what is done with one cannot be tested.
NEEDS_REDIS := command -v redis-server >/dev/null || echo portal/gateway/clock.py,portal/gateway/failover_cache.py

benchmark: develop ## Measure what pages and the gateway cost (BENCHMARKS="simulation stores flights waiting views")
	@$(BIN)/python -m tests.benchmarks $(BENCHMARKS)

check: develop ## Lint, check types, templates, deployment settings and migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/djlint --lint --quiet templates
	@$(PRODUCTION_LIKE) $(BIN)/python manage.py check --deploy --fail-level WARNING
	@$(PRODUCTION_LIKE) DATABASE_URL=sqlite://:memory: $(BIN)/python manage.py makemigrations --check --dry-run --skip-checks

# Production's own settings, with keys that are made for the one command. Nothing here is connected to.
PRODUCTION_LIKE = env ENV_FILE=/dev/null ALLOWED_HOSTS=portal.example.com \
	DATABASE_URL="postgres://portal@database.example.com/portal?sslmode=verify-full" CACHE_URL=rediss://cache.example.com/0 \
	SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))')" \
	CREDENTIAL_KEYS="$$($(BIN)/python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')"

format: develop ## Format Python
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

# The lock files name no package host; pip takes them from wherever it is told to, and checks each hash.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header

lock: develop ## Write requirements/*.txt anew from requirements/*.in (UPGRADE=--upgrade takes newer versions)
	$(LOCK) $(UPGRADE) requirements/runtime.in --output-file requirements/runtime.txt
	$(LOCK) $(UPGRADE) requirements/development.in --constraint requirements/runtime.txt \
		--output-file requirements/development.txt

messages: develop ## Collect what is to be translated into locale/, and compile what is translated
	@mkdir -p .local
	@$(BIN)/pybabel --quiet extract --mapping-file pyproject.toml --no-wrap --add-location file \
		--keywords "gettext_lazy ngettext_lazy:1,2 pgettext_lazy:1c,2" --output-file .local/messages.pot .
	@$(BIN)/pybabel --quiet update --domain django --input-file .local/messages.pot --output-dir locale --no-wrap --ignore-obsolete
	@sed -i -E '/^"(POT-Creation-Date|PO-Revision-Date|Last-Translator|Language-Team|Generated-By)/d' locale/*/LC_MESSAGES/django.po
	@$(BIN)/pybabel compile --domain django --directory locale --statistics

screenshots: develop chromium ## Take the pictures of README and docs anew
	@$(BIN)/python -m tests.browser.screenshots

validate: develop chromium java .node/installed ## Check the HTML of every page in every state
	@$(BIN)/python -m tests.browser.validate

lighthouse: develop chromium .node/installed ## Measure list and instance with Lighthouse and write the scores into docs/
	@$(BIN)/python -m tests.browser.lighthouse

clean: ## Remove what was installed and measured (the sandbox's state in .local stays)
	rm -rf .venv .node staticfiles .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis test-results

# Each file stands for an installation that came to its end with the lock file as it was then.
.venv/runtime: requirements/runtime.txt | .venv/bin/python
	@echo "Installing what the portal runs on …"
	@$(INSTALL) -r requirements/runtime.txt
	@touch $@

.venv/development: requirements/development.txt requirements/runtime.txt | .venv/bin/python
	@echo "Installing what the portal is tested and checked with …"
	@$(INSTALL) -r requirements/development.txt
	@touch $@ .venv/runtime

# Twice quiet: only errors.
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes

# The HTML checker and Lighthouse, pinned with all they need. Nothing of either is run while it is installed.
.node/installed: requirements/node/package-lock.json requirements/node/package.json | node
	@echo "Installing the HTML checker and Lighthouse …"
	@mkdir -p .node
	@cp requirements/node/package.json requirements/node/package-lock.json .node/
	@npm ci --prefix .node --silent --no-audit --no-fund --ignore-scripts
	@touch $@

.venv/bin/python:
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "$(PYTHON) was not found; install Python 3.11 or later, or choose one by PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is $$("$(PYTHON)" -V 2>&1); ByCloud Portal needs Python 3.11 or later (PYTHON=... chooses one)." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv module; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@"$(PYTHON)" -m venv --clear .venv

# The browser tests drive an installed Chromium, most of them faster one without windows (which not every system has);
# as root on Debian both can be installed here. Without any they say so.
chromium:
	@command -v chromium-headless-shell >/dev/null && command -v chromium >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium for the browser tests …"; \
		{ apt-get update -q; for package in chromium chromium-headless-shell; do \
			DEBIAN_FRONTEND=noninteractive apt-get install -yq $$package || true; done; } >/dev/null; fi

# The HTML checker runs on Java, Lighthouse on Node.js 18.16 or later.
java:
	@command -v java >/dev/null || { $(call APT_INSTALL,default-jre-headless); } || { \
		echo "java was not found; on Debian and Ubuntu: apt install default-jre-headless" >&2; exit 1; }

node:
	@command -v npm >/dev/null || { $(call APT_INSTALL,nodejs npm); } || { \
		echo "npm was not found; on Debian and Ubuntu: apt install nodejs npm" >&2; exit 1; }

# Where we may: as root, with apt.
APT_INSTALL = [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo "Installing $(1) …" && \
	{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends $(1); } >/dev/null

# The services tests start a PostgreSQL and a Redis of their own. Where they are not installed, those tests say so.
servers:
	@if command -v redis-server >/dev/null && { command -v postgres || ls /usr/lib/postgresql/*/bin/postgres; } >/dev/null 2>&1; then \
		exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing PostgreSQL and Redis for the services tests …"; \
		{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends \
			postgresql redis-server; } >/dev/null || true; fi
