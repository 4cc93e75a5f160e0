# make demo   upscales a photo with the model in the package
# make test   runs the tests, the linter and the type checker
# make docs   builds the documentation into build/docs
# make notebooks   runs the notebooks of examples/ and saves what they show
PYTHON ?= python3
PHOTO ?= examples/astronaut.jpg

.PHONY: demo test check docs notebooks bench clean

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet .
	touch $@

.venv-dev/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-dev
	.venv-dev/bin/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

demo: .venv/installed
	.venv/bin/subpixel upscale $(PHOTO) -o output/ --format png --overwrite
	.venv/bin/subpixel compare $(PHOTO) --reduce -o output/before-after.png --overwrite

test: .venv-dev/installed check docs
	.venv-dev/bin/python -m pytest -q -n 2

check: .venv-dev/installed
	.venv-dev/bin/ruff check .
	.venv-dev/bin/ruff format --check .
	.venv-dev/bin/pyright --pythonpath .venv-dev/bin/python

docs: .venv-dev/installed
	.venv-dev/bin/python -m sphinx -q -W --keep-going docs build/docs

notebooks: .venv-dev/installed
	.venv-dev/bin/python examples/execute.py

bench: .venv-dev/installed
	.venv-dev/bin/subpixel bench speed

clean:
	rm -rf .venv .venv-dev output build/docs docs/generated
