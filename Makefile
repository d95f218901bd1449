# What a user types. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# numpy before 2, which Spark 3.5 wants, and Python from 3.13 on do not go together
PYTHON_3.5 ?= $(shell for python in $(PYTHON) python3.11 python3.12 python3.10; do \
  "$$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null && \
  { echo "$$python"; break; }; done)
PYTHON_4.0 ?= $(PYTHON)
# folder of the result hashes of one run on all versions, which must be one
HASHES := out/result-hashes

# Much of a small Spark job is waiting: two processes, each with a session of its own.
# Files in the order of the tree: those that take longest come first.
TWO := -n 2 --dist loadfile --no-loadscope-reorder
# Without all real kills and the large cases, which take as long again
CI := -m "not full"
# Tests without Spark
FAST := tests/unit tests/property tests/docs \
  --ignore tests/docs/test_pages.py --ignore tests/docs/test_readme.py
# Tests whose outcome depends on the version of Spark
SPARK_TESTS := tests/matrix tests/lake tests/spark

.DEFAULT_GOAL := help
.PHONY: help install shell demo demo-delta demo-iceberg test test-fast test-full test-browser report-shots matrix template lint docs docs-serve bench bench-full bench-mitigation bench-noise build clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed  ## make .venv with the command sparkclean in it

$(VENV)/.installed: pyproject.toml .ci/check-java
	sh .ci/check-java
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed; set PYTHON=/path/to/python3"; exit 1; }
	@echo "installing sparkclean and Spark, which is large, into $(VENV); pip says nothing until it is done"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade "pip>=25.1"
	$(BIN)/pip install -q -e ".[spark,report]"
	touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/pip install -q --group test --group lint --group connect
	touch $@

$(VENV)/.documented: $(VENV)/.installed
	$(BIN)/pip install -q --group docs
	touch $@

# What looks at reports
$(VENV)/.browser: $(VENV)/.tested .ci/check-chromium
	sh .ci/check-chromium
	touch $@

# The environments of older versions of Spark: .venv-4.0/.tested, .venv-3.5/.tested
.venv-%/.tested: pyproject.toml .ci/check-java
	sh .ci/check-java
	@test -n "$(PYTHON_$*)" || \
	  { echo "Spark $* needs another Python; set PYTHON_$*=/path/to/python3.11"; exit 1; }
	$(PYTHON_$*) -m venv .venv-$*
	.venv-$*/bin/pip install -q --upgrade "pip>=25.1"
	.venv-$*/bin/pip install -q -e . --group test --group spark-$*
	touch $@

# The environment of the losses on tensors of torch
.venv-torch/.tested: pyproject.toml
	$(PYTHON) -m venv .venv-torch
	.venv-torch/bin/pip install -q --upgrade "pip>=25.1"
	.venv-torch/bin/pip install -q -e ".[spark]" --group test --group torch
	touch $@

# The environment of xgboost's estimators on Spark
.venv-xgboost/.tested: pyproject.toml
	$(PYTHON) -m venv .venv-xgboost
	.venv-xgboost/bin/pip install -q --upgrade "pip>=25.1"
	.venv-xgboost/bin/pip install -q -e ".[spark]" --group test --group xgboost
	touch $@

shell: install  ## open a shell in which sparkclean is on the path
	@echo "sparkclean is on the path of this shell; exit leaves it"
	@PATH="$(CURDIR)/$(BIN):$$PATH" VIRTUAL_ENV="$(CURDIR)/$(VENV)" exec "$${SHELL:-/bin/sh}"

demo: install  ## predict and audit real data: digits with 5 % of the labels flipped
	rm -rf out/demo
	$(BIN)/python -m sparkclean.commands.demo prepare out/demo
	$(BIN)/sparkclean run --config conf/demo.yaml
	$(BIN)/python -m sparkclean.commands.demo score out/demo out/demo/suspects --report out/demo/report.html

demo-delta: install  ## the demo on Delta Lake
	rm -rf out/demo-delta
	$(BIN)/python -m sparkclean.commands.demo prepare out/demo-delta/files
	$(BIN)/python -m sparkclean.commands.demo load out/demo-delta/files out/demo-delta/examples \
	  --format delta --properties-file conf/spark-defaults-delta.conf
	$(BIN)/sparkclean run --config conf/demo-delta.yaml \
	  --properties-file conf/spark-defaults-delta.conf
	$(BIN)/python -m sparkclean.commands.demo score out/demo-delta/files out/demo-delta/suspects \
	  --report out/demo-delta/report.html \
	  --properties-file conf/spark-defaults-delta.conf

demo-iceberg: install  ## the demo on Apache Iceberg
	rm -rf out/demo-iceberg out/warehouse/demo
	$(BIN)/python -m sparkclean.commands.demo prepare out/demo-iceberg/files
	$(BIN)/python -m sparkclean.commands.demo load out/demo-iceberg/files lake.demo.examples \
	  --format iceberg --properties-file conf/spark-defaults-iceberg.conf
	$(BIN)/sparkclean run --config conf/demo-iceberg.yaml \
	  --properties-file conf/spark-defaults-iceberg.conf
	$(BIN)/python -m sparkclean.commands.demo score out/demo-iceberg/files lake.demo.suspects \
	  --report out/demo-iceberg/report.html \
	  --properties-file conf/spark-defaults-iceberg.conf

test: $(VENV)/.tested $(VENV)/.browser .venv-3.5/.tested  ## the tests that CI runs
	rm -rf $(HASHES)
	mkdir -p $(HASHES)
	$(BIN)/python -m pytest $(TWO) $(CI) --hashes=$(HASHES)
	@# both wait most of the time
	.venv-3.5/bin/python -m pytest tests/matrix --hashes=$(HASHES) > $(HASHES)/3.5.log 2>&1 & old=$$!; \
	$(BIN)/python -m pytest tests/matrix --hashes=$(HASHES) --connect; connect=$$?; \
	wait $$old; old=$$?; cat $(HASHES)/3.5.log; exit $$((connect + old))

test-fast: $(VENV)/.tested  ## tests without Spark
	$(BIN)/python -m pytest $(FAST)

test-full: $(VENV)/.tested $(VENV)/.browser  ## everything: all real kills, the large cases
	$(BIN)/python -m pytest $(TWO) --cov --cov-report=term:skip-covered

test-browser: $(VENV)/.browser  ## reports of invented data, in Chromium
	$(BIN)/python -m pytest tests/browser

report-shots: $(VENV)/.browser  ## write reports of invented data and pictures of them, to out/report-shots
	$(BIN)/python -m tests.browser.shots out/report-shots

matrix: $(VENV)/.tested .venv-4.0/.tested .venv-3.5/.tested .venv-torch/.tested .venv-xgboost/.tested  ## CI's Spark tests, other versions; torch, xgboost
	rm -rf $(HASHES)
	mkdir -p $(HASHES)
	.venv-torch/bin/python -m pytest tests/matrix/test_torch.py
	.venv-xgboost/bin/python -m pytest tests/matrix/test_xgboost.py
	$(BIN)/python -m pytest tests/matrix --hashes=$(HASHES)
	$(BIN)/python -m pytest $(TWO) $(SPARK_TESTS) $(CI) --hashes=$(HASHES) --connect
	.venv-4.0/bin/python -m pytest $(TWO) $(SPARK_TESTS) $(CI) --hashes=$(HASHES)
	.venv-3.5/bin/python -m pytest $(TWO) $(SPARK_TESTS) $(CI) --hashes=$(HASHES)

template: $(VENV)/.installed  ## write conf/audit.yaml anew, of the settings that there are
	$(BIN)/python -c 'from sparkclean.config.template import config_template; \
	  print(config_template(table="data/examples", id="id", label="label", \
	  pred_probs="pred_probs"), end="")' > conf/audit.yaml

lint: $(VENV)/.tested  ## style, types, spelling, long sentences
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/python -m tests.docs.plain_english

# The note that it leaves out is about MkDocs 2, which pyproject.toml excludes.
docs: $(VENV)/.documented  ## build the documents into site/; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-serve: $(VENV)/.documented  ## show the documents in a browser while you write
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

bench: $(VENV)/.tested  ## time the audit beside the reference on 5M x 10
	$(BIN)/python benchmarks/run.py

bench-full: $(VENV)/.tested  ## on all sizes and shapes; takes hours, 50 GB of disk, 24 GB of memory
	$(BIN)/python benchmarks/run.py --tables 10000x10 5000000x10 10000000x10 20000000x10 \
	  40000000x10 50000000x10 500000x1000
	$(BIN)/python benchmarks/run.py --programs decode noop files again --tables 1000000x1000 \
	  2500000x1000-one-file 23000000x10-small-files 20000000x10-skewed 20000000x2 40000x5000
	$(BIN)/python benchmarks/predict.py

bench-mitigation: $(VENV)/.tested  ## what mitigations are worth, and probabilities out of sample
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/mitigation.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/in_sample.py

bench-noise: $(VENV)/.tested  ## are kinds of noise told apart, and do intervals of reviews hold; takes hours
	$(BIN)/python benchmarks/diagnose.py --seeds 1:20:2
	$(BIN)/python benchmarks/diagnose.py --kind none --model good --seeds 7:141:2
	$(BIN)/python benchmarks/review_coverage.py

build: $(VENV)/.tested  ## the wheel and the zip for --py-files, in dist/
	rm -rf dist
	$(BIN)/python -m build --wheel --outdir dist .
	cd dist && for wheel in *.whl; do cp $$wheel $${wheel%%-py3-none-any.whl}.zip; done

clean:  ## remove what the targets made
	rm -rf $(VENV) .venv-4.0 .venv-3.5 .venv-torch .venv-xgboost dist out site .pytest_cache .mypy_cache .ruff_cache .coverage
