# make demo   watch the whole loop run on real volumes      (DEMO="--rounds 2 --data DIR" passes options)
# make test   lint, type check, all tests
# Both install into .venv first; a second run installs nothing.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO ?=

.PHONY: demo test install clean
.DEFAULT_GOAL := demo

demo: $(INSTALLED)
	$(BIN)/spss demo $(DEMO)

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

install: $(INSTALLED)

$(INSTALLED): setup.cfg pyproject.toml Makefile .ci/install
	sh .ci/install $(VENV)
	@touch $@

clean:
	rm -rf $(VENV)
