# The commands of this project; `make` lists them. A variable given to make wins over .env: make up API_PORT=8080
.DEFAULT_GOAL := help
# With it each process would compile everything anew: seconds for every command.
unexport PYTHONDONTWRITEBYTECODE
VENV := .local/venv

# Only these need an engine, and only they ask which.
ENGINE_GOALS := up down seed migrate superuser admin mails logs psql backup restore clean
ifneq ($(filter $(ENGINE_GOALS),$(MAKECMDGOALS)),)
override ENGINE := $(shell scripts/engine '$(ENGINE)')
$(if $(ENGINE),,$(error no engine))
endif
ENGINE_READY := environment $(if $(filter native,$(ENGINE)),$(VENV)/.synced)

.PHONY: help $(ENGINE_GOALS) environment revision dev rotate-keys smoke test test-all mail bench faults soak check fmt audit sbom lock

##@ Run
up: $(ENGINE_READY) ## Start everything and wait until it answers
	scripts/$(ENGINE) up

down: ## Stop everything; the data stay
	scripts/$(ENGINE) down

seed: $(ENGINE_READY) ## Add sample data; USERS=100000 for that many
	scripts/$(ENGINE) seed

superuser: $(ENGINE_READY) ## Make a superuser: EMAIL=me@example.com
	scripts/$(ENGINE) superuser

admin: $(ENGINE_READY) ## Deactivate, sign out, prune: ARGS="deactivate a@example.com", ARGS=--help
	scripts/$(ENGINE) admin

mails: $(ENGINE_READY) ## Show the mail of development, where SMTP_HOST is not set
	scripts/$(ENGINE) mails

rotate-keys: ## Sign tokens with a new SECRET_KEY from the next make up on; nobody is signed out
	scripts/dotenv rotate

smoke: ## Sign up, sign in and read, at what runs
	python3 scripts/smoke.py

logs: environment ## Follow what the API and PostgreSQL say
	scripts/$(ENGINE) logs

psql: $(ENGINE_READY) ## A prompt, or standard input, for the database
	scripts/$(ENGINE) psql

backup: $(ENGINE_READY) ## Save the database in .local/backups, and see that it can be restored
	scripts/$(ENGINE) migrate
	scripts/backup $(ENGINE) make

restore: $(ENGINE_READY) ## Replace the database by a backup: FILE=.local/backups/…; YES=1 does not ask
	scripts/$(ENGINE) migrate
	scripts/backup $(ENGINE) restore "$$FILE"

clean: ## Delete the data, when the answer is yes; YES=1 does not ask
	scripts/$(ENGINE) clean

##@ Develop
dev: environment $(VENV)/.synced ## Serve on this machine, and again at each change of the code
	scripts/native dev

migrate: $(ENGINE_READY) ## Bring the schema up to date
	scripts/$(ENGINE) migrate

revision: $(VENV)/.synced ## Write a migration from the models: m="badges"
	$(VENV)/bin/python scripts/revision.py "$$m"

test: $(VENV)/.synced ## Run the fast tests; ARGS="-k groups" for some of them
	cd services && ../$(VENV)/bin/python -m pytest -n 2 -m "not slow" $(ARGS)

test-all: $(VENV)/.synced ## Run all tests, which have to cover every statement and branch
	cd services && ../$(VENV)/bin/python -m pytest -n 2 --cov=accounts --cov-config=pyproject.toml $(ARGS)

mail: $(VENV)/.synced ## Write every letter in every language, to look at
	cd services && PYTHONPATH=. ../$(VENV)/bin/python ../scripts/mail_preview.py

bench: $(VENV)/.synced ## Measure servers of its own; ARGS=login_storm, ARGS="compare --users 1000000", ARGS="compare --help"
	cd services && PYTHONPATH=.:..:../scripts:tests ../$(VENV)/bin/python -m benchmarks $(ARGS)

faults: $(VENV)/.synced ## Let a database of its own have bad days, and show what clients see; ARGS="swallowed slow"
	cd services && PYTHONPATH=.:../scripts:tests ../$(VENV)/bin/python -m faults $(ARGS)

soak: $(VENV)/.synced ## Serve people for ten minutes, or MINUTES=…, and see that nothing grows and nothing fails
	cd services && PYTHONPATH=.:../scripts:tests ../$(VENV)/bin/python -m faults.soak $(or $(MINUTES),10)

check: $(VENV)/.synced ## Format, lint, types and contracts
	scripts/check

fmt: $(VENV)/.synced ## Format, and mend what can be mended
	cd services && ../$(VENV)/bin/python -m ruff check --config pyproject.toml --fix-only --quiet . ../scripts ../benchmarks ../deploy
	cd services && ../$(VENV)/bin/python -m ruff format --config pyproject.toml . ../scripts ../benchmarks ../deploy

audit: $(VENV)/.synced ## Ask PyPI whether a locked version has a known flaw
	scripts/audit

sbom: $(VENV)/.synced ## Write what is locked as a bill of materials: .local/sbom.json
	cd services && ../$(VENV)/bin/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible -o ../.local/sbom.json requirements.lock

lock: ## Resolve the dependencies anew; ARGS=--upgrade for newer ones
	scripts/bootstrap lock $(ARGS)

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {print "\n" substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

environment:
	@scripts/dotenv

# An interpreter that has gone makes the environment stale, like new locks.
$(VENV)/.synced: services/requirements-dev.lock $(VENV)/bin/python
	scripts/bootstrap
$(VENV)/bin/python:
