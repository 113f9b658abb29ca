# The commands of this project; `make` lists them. A variable given to make wins over .env: make up API_PORT=8080
.DEFAULT_GOAL := help
# Without bytecode caches every command would take seconds longer.
unexport PYTHONDONTWRITEBYTECODE
VENV := .local/venv
# What a command needs that runs the service natively, and one that develops it.
RUN := writable $(VENV)/.run
DEV := writable $(VENV)/.dev

# Only these run on an engine, so only they look for one.
ENGINE_GOALS := up down seed migrate superuser admin import-users export-users mails rotate-keys signing-key logs psql backup restore clean
ifneq ($(filter $(ENGINE_GOALS),$(MAKECMDGOALS)),)
override ENGINE := $(shell scripts/engine '$(ENGINE)')
$(if $(ENGINE),,$(error no engine))
endif
REMEMBER_ENGINE = @mkdir -p .local && echo $(ENGINE) >.local/engine
# With the variables of the last `make up`.
UP_AGAIN = eval "$$(python3 scripts/environment.py overrides)" && scripts/$(ENGINE) up
ENGINE_READY := environment $(if $(filter native,$(ENGINE)),$(RUN))

.PHONY: help $(ENGINE_GOALS) environment writable revision rename dev breached smoke test test-all mail screenshots messages client bench faults soak hostile check fmt audit sbom lock

##@ Run
up: $(ENGINE_READY) ## Start everything and wait until it is ready
	scripts/$(ENGINE) up
	$(REMEMBER_ENGINE)

down: ## Stop everything; data is kept
	scripts/$(ENGINE) down

seed: $(ENGINE_READY) ## Add sample data; USERS=100000 adds as many generated users
	scripts/$(ENGINE) seed
	$(REMEMBER_ENGINE)

superuser: $(ENGINE_READY) ## Create a superuser: EMAIL=me@example.com
	scripts/$(ENGINE) superuser

admin: $(ENGINE_READY) ## Deactivate or sign out a user, remove sample users, …: ARGS="deactivate a@example.com", ARGS=--help
	scripts/$(ENGINE) admin

import-users: $(ENGINE_READY) ## Import users with their passwords: FILE=users.jsonl; FORMAT=auth0|django|…; DRY_RUN=yes; INVITE=yes
	scripts/user-files $(ENGINE) import "$$FILE"

export-users: $(ENGINE_READY) ## Export all users with their password hashes: FILE=users.jsonl
	scripts/user-files $(ENGINE) export "$$FILE"

mails: $(ENGINE_READY) ## Show mail written in development (without SMTP_HOST)
	scripts/$(ENGINE) mails

breached: ## Convert a downloaded list of leaked passwords: FILE=pwnedpasswords.txt OUT=/srv/breached-passwords
	PYTHONPATH=services python3 -m accounts.commands.breached_passwords "$${FILE:?is not given}" "$${OUT:?is not given}"

rotate-keys: $(ENGINE_READY) ## Rotate the keys, and deploy them; no one is signed out, and no token refused
	ARGS=reseal scripts/$(ENGINE) admin
	python3 scripts/rotate_keys.py
	$(UP_AGAIN)
	$(REMEMBER_ENGINE)

signing-key: $(ENGINE_READY) ## Create a key pair with which other services verify tokens, and deploy it
	python3 scripts/rotate_keys.py SIGNING_KEY
	$(UP_AGAIN)
	$(REMEMBER_ENGINE)

smoke: ## Sign up, sign in and use the running API once
	python3 scripts/smoke.py

logs: environment ## Follow the logs of the API, the worker and PostgreSQL
	scripts/$(ENGINE) logs

psql: $(ENGINE_READY) ## Open psql on the database, or run SQL from standard input
	scripts/$(ENGINE) psql

backup: $(ENGINE_READY) ## Save the database in .local/backups and verify that it can be restored
	scripts/$(ENGINE) prepare
	scripts/backup $(ENGINE) create

restore: $(ENGINE_READY) ## Replace the database by a backup: FILE=.local/backups/…; YES=1 skips the question
	scripts/backup $(ENGINE) restore "$$FILE"
	$(REMEMBER_ENGINE)

clean: ## Stop everything and delete the data; YES=1 skips the question
	scripts/$(ENGINE) clean
	@rm -f .local/engine .local/overrides

##@ Develop
dev: environment $(DEV) ## Run the API on this machine and reload it when the code changes
	scripts/native dev

migrate: $(ENGINE_READY) ## Migrate the database to the latest schema
	scripts/$(ENGINE) migrate
	$(REMEMBER_ENGINE)

revision: $(DEV) ## Generate a migration from the models: m="badges"
	$(VENV)/bin/python scripts/revision.py "$$m"

rename: ## Rename a copy of this project: NAME=guests
	python3 scripts/rename.py $(NAME)

test: $(DEV) ## Run the fast tests; ARGS="-k groups" selects some
	cd services && ../$(VENV)/bin/python -m pytest -n 2 -m "not slow" $(ARGS)

# Coverage only makes sense for the whole suite.
test-all: $(DEV) ## Run all tests and require that they cover every statement and branch
	cd services && ../$(VENV)/bin/python -m pytest -n 2 --cov=accounts --cov=accounts_client --cov-config=pyproject.toml $(ARGS)

mail: $(DEV) ## Render every mail in every language, to look at
	cd services && PYTHONPATH=. ../$(VENV)/bin/python ../scripts/mail_preview.py

screenshots: $(DEV) ## Renew the images of the documentation, with Chromium
	cd services && PYTHONPATH=. ../$(VENV)/bin/python ../scripts/screenshots.py

messages: $(DEV) ## Update the translators' catalogues from code and templates; NEW=fr adds a language
	cd services && ../$(VENV)/bin/pybabel -q extract -F pyproject.toml --add-location=file --sort-by-file --no-wrap -o ../.local/accounts.pot .
	cd services && ../$(VENV)/bin/pybabel -q $(if $(NEW),init -l $(NEW),update --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date) --no-wrap -D accounts -i ../.local/accounts.pot -d accounts/translations

client: $(DEV) ## Update the Python client's OpenAPI document, and build its wheel in .local/client
	cd services && PYTHONPATH=. ../$(VENV)/bin/python ../scripts/openapi.py
	cd clients/python && ../../$(VENV)/bin/python -m hatchling build -t wheel -d ../../.local/client

bench: $(DEV) ## Run the benchmarks; ARGS=login_storm, ARGS="compare --users 1000000", ARGS="compare --help"
	cd services && PYTHONPATH=.:..:../scripts:tests ../$(VENV)/bin/python -m benchmarks $(ARGS)

faults: $(DEV) ## Break a database of its own and show what clients see; ARGS="swallowed slow"
	cd services && PYTHONPATH=.:../scripts:tests ../$(VENV)/bin/python -m faults $(ARGS)

soak: $(DEV) ## Serve load for ten minutes, or MINUTES=…, and check that nothing leaks or fails
	cd services && PYTHONPATH=.:../scripts:tests ../$(VENV)/bin/python -m faults.soak $(or $(MINUTES),10)

hostile: $(DEV) ## Attack the API for three minutes, or MINUTES=…, and check that others are still served
	cd services && PYTHONPATH=.:../scripts:tests ../$(VENV)/bin/python -m faults.hostile $(or $(MINUTES),3)

check: $(DEV) ## Check format, lint, types, imports, migrations and containers
	scripts/check

fmt: $(DEV) ## Format the code and apply automatic fixes
	cd services && ../$(VENV)/bin/python -m ruff check --config pyproject.toml --fix-only --quiet . ../scripts ../benchmarks ../deploy
	cd services && ../$(VENV)/bin/python -m ruff format --config pyproject.toml . ../scripts ../benchmarks ../deploy
	cd clients/python && ../../$(VENV)/bin/python -m ruff check --fix-only --quiet . && ../../$(VENV)/bin/python -m ruff format .

audit: $(DEV) ## Look for known vulnerabilities in the locked dependencies
	cd services && ../$(VENV)/bin/python -m pip_audit --requirement requirements.lock --require-hashes --disable-pip --strict --progress-spinner off

sbom: $(DEV) ## Write a bill of materials (CycloneDX) to .local/sbom.json
	cd services && ../$(VENV)/bin/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible -o ../.local/sbom.json requirements.lock

lock: ## Resolve and lock the dependencies; ARGS=--upgrade for newer versions
	scripts/bootstrap lock $(ARGS)

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {print "\n" substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

environment:
	@python3 scripts/environment.py

writable:
	@test -w services -a '(' ! -e .local -o -w .local ')' || { echo "make: $$(id -un) may not write into $(CURDIR)" >&2; exit 1; }

# What runs the service, and what develops it. A removed interpreter makes both stale, as a changed lock does.
$(VENV)/.run: services/requirements.lock services/requirements-native.lock $(VENV)/bin/python
	scripts/bootstrap
$(VENV)/.dev: services/requirements-dev.lock $(VENV)/bin/python
	scripts/bootstrap dev
$(VENV)/bin/python:
