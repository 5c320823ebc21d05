# Two commands: `make demo` and `make test`. Each prepares what it needs itself.
BIN := .venv/bin

.PHONY: help demo test lint docs setup clean

help:
	@echo "make demo   simulate a recording, analyse it, leave demo/summary.png"
	@echo "make test   check the code and run all tests"
	@echo "make lint   check the code only"
	@echo "make docs   build the documentation into docs/_build/html"
	@echo "make clean  remove .venv and everything that was built"

setup:
	@.ci/setup

demo: setup
	@$(BIN)/napari-mesmerize demo

test: setup
	@.ci/test

lint: setup
	@.ci/lint

docs: setup
	@.ci/setup --group docs
	@$(BIN)/sphinx-build -W --keep-going -q docs docs/_build/html
	@echo "The documentation is at docs/_build/html/index.html"

clean:
	rm -rf .venv .tox build dist demo docs/_build .mypy_cache .ruff_cache .pytest_cache
