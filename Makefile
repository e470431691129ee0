# What a maintainer types; .ci/run calls the same targets. All in an environment with '.[test]'.

.PHONY: format format-check lint types test dist constraints latest

format:          ## mend what the formatter and the linter can mend
	ruff format .
	ruff check --fix .

format-check:
	ruff format --check .

lint:
	ruff check .

types:
	mypy

test:            ## the whole suite, one worker per core
	python -m pytest -n auto --dist loadscope

dist:            ## wheel and sdist, and whether all that the package needs is in them
	rm -rf build dist
	python -m build --quiet
	python -m tools.check_dist dist

constraints:     ## constraints.txt again, from the ranges of pyproject.toml
	tools/make_constraints.sh

latest:          ## whether the newest that the ranges allow still works
	tools/check_latest.sh
