# make demo   watch the whole loop run on real volumes      (DEMO="--rounds 2 --data DIR" passes options)
# make test   lint, type check, all tests
# make clients   OHIF in a headless browser and Slicer's requests against a real DICOMweb server
#                (Debian packages orthanc, orthanc-dicomweb, chromium; installed when run as root)
# All install into .venv first; a second run installs nothing.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO ?=

.PHONY: demo test clients install clean
.DEFAULT_GOAL := demo

demo: $(INSTALLED)
	$(BIN)/spss demo $(DEMO)

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

clients: $(INSTALLED)
	sh apps/clients/run.sh $(BIN)/python

install: $(INSTALLED)

$(INSTALLED): setup.cfg pyproject.toml Makefile .ci/install
	sh .ci/install $(VENV)
	@touch $@

clean:
	rm -rf $(VENV)
