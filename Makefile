# Everything here works on a fresh Linux machine with Python 3.11, a C++ compiler and PyPI.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CMAKE = $(BIN)/cmake -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN)/ninja)
CPP_FILES = $(sort $(shell find cpp_bindings examples -name '*.c' -o -name '*.cpp' -o -name '*.hpp'))
SOURCES := pyproject.toml $(shell find cpp_bindings -type f)
CHECKS := eval-deps lint docs test-cpp test-cpp-sanitized test-cpp-threads
CLANG ?= clang++
SANITIZERS = $(foreach name,asan ubsan,$(shell $(CXX) -print-file-name=lib$(name).so))
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
ARCHIVES ?= archives
CASES ?= cases
DEMO := demo
FUZZ_SECONDS ?= 600
FUZZ_OPTIONS = -max_total_time=$(FUZZ_SECONDS) -timeout=5 -rss_limit_mb=1024 -verbosity=0 \
  -print_final_stats=1 -artifact_prefix=build/fuzz/
PYTHONS ?= python3.11 python3.12 python3.13
PREFIX ?= build/sdk
WITH_RUNTIME = RGAN_ONNXRUNTIME=$$(echo $(abspath $(VENV))/lib/*/site-packages/onnxruntime/capi/*.so.*)

.PHONY: help cpp demo docs paper public scale test test-all test-cpp test-cpp-sanitized test-cpp-threads cases \
  eval-deps fuzz lint lint-cpp lint-python lint-containers format data stubs wheels clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.sdk ## Install, and harmonize a synthetic CT series with a packaged model
	rm -rf $(DEMO)
	$(BIN)/rgan-harmonize sample $(DEMO)/sample-ct
	$(BIN)/rgan-harmonize run $(DEMO)/sample-ct $(DEMO)/harmonized --model b40f-to-b70f \
	  --preview --report $(DEMO)/report.json

test: $(CHECKS) ## Install, lint, and run the tests
	$(PYTEST) -m "not slow and not scale and not public"

test-all: $(CHECKS) ## The same, with the tests that take minutes
	$(PYTEST) -m "not scale and not public"

public: $(VENV)/.public ## Choose pairs from the real index of the Imaging Data Commons (80 MB)
	RGAN_STRICT=1 $(BIN)/python -m pytest -m public tests

scale: $(VENV)/.dev ## Show within half an hour, as root, what scale.md says: many slices, workers and faults
	RGAN_STRICT=1 RGAN_SCALE_RESULTS=benchmarks/results $(BIN)/python -m pytest -m scale tests
	$(BIN)/python benchmarks/scale/planning.py --data .data --work build/million \
	  --json benchmarks/results/planning.json
	$(BIN)/python benchmarks/scale/ray_workers.py --json benchmarks/results/ray-workers.json
	$(BIN)/python benchmarks/scale/deployment.py --scans .data/pair_lungdx_A0002_siemens/B40f \
	  --json benchmarks/results/deployment.json

paper: $(VENV)/.eval ## Train and measure what docs/results/paper.md lacks; hours, and can be interrupted
	$(BIN)/python benchmarks/quality/factorial.py --jobs $(WORKERS)
	$(BIN)/python benchmarks/quality/folds.py --jobs $(WORKERS)
	$(BIN)/python benchmarks/quality/adversarial.py --jobs $(WORKERS)
	$(BIN)/python benchmarks/quality/unpaired_losses.py --jobs $(WORKERS)
	$(BIN)/python benchmarks/quality/one_network.py --jobs $(WORKERS)

cpp: test-cpp ## Build, test and install the SDK for C and C++: make cpp PREFIX=folder
	$(BIN)/cmake --install build/cpp --prefix $(abspath $(PREFIX))

test-cpp: $(VENV)/.cpp ## Run the tests of the C++ core and of the C and C++ interfaces only
	$(CMAKE) -S cpp_bindings -B build/cpp -DCMAKE_BUILD_TYPE=Release -DRGAN_PYTHON=OFF -DRGAN_TESTS=ON \
	  -DCMAKE_INSTALL_LIBDIR=lib
	$(BIN)/cmake --build build/cpp
	$(WITH_RUNTIME) $(BIN)/ctest --test-dir build/cpp --output-on-failure

test-cpp-sanitized: $(VENV)/.dev ## Run them with AddressSanitizer and UndefinedBehaviorSanitizer
	$(CMAKE) -S cpp_bindings -B build/cpp-sanitized -DCMAKE_BUILD_TYPE=Debug -DRGAN_PYTHON=OFF \
	  -DRGAN_TESTS=ON -DRGAN_SANITIZE=address,undefined
	$(BIN)/cmake --build build/cpp-sanitized
	$(WITH_RUNTIME) $(BIN)/ctest --test-dir build/cpp-sanitized --output-on-failure
	LD_PRELOAD="$(SANITIZERS)" ASAN_OPTIONS=detect_leaks=0 \
	  RGAN_LIBRARY=build/cpp-sanitized/librgan.so.0 $(BIN)/python -m pytest -q -m "not slow" \
	  tests/cpp_bindings/test_c_interface.py tests/cpp_bindings/test_harmonize.py \
	  tests/cpp_bindings/test_model_checks.py

test-cpp-threads: $(VENV)/.dev ## Run them with ThreadSanitizer
	$(CMAKE) -S cpp_bindings -B build/cpp-threads -DCMAKE_BUILD_TYPE=Debug -DRGAN_PYTHON=OFF \
	  -DRGAN_TESTS=ON -DRGAN_SANITIZE=thread
	$(BIN)/cmake --build build/cpp-threads
	$(BIN)/ctest --test-dir build/cpp-threads --output-on-failure

cases: $(VENV)/.dev $(VENV)/.eval ## Run scripts that exit 0 when all is right: make cases CASES=folder
	@wrong=0; \
	for case in $(CASES)/case_*.py; do \
	  if said=$$($(BIN)/python "$$case" 2>&1); then echo "right  $$case"; \
	  else wrong=1; echo "WRONG  $$case"; echo "$$said" | tail -n 1; fi; \
	done; exit $$wrong

eval-deps: $(VENV)/.eval ## Install pyradiomics, which needs Python 3.11 and is built from source

fuzz: $(VENV)/.dev ## Fuzz the readers of DICOM and models for FUZZ_SECONDS each; needs Clang
	CXX=$(CLANG) $(CMAKE) -S cpp_bindings -B build/fuzz -DCMAKE_BUILD_TYPE=RelWithDebInfo \
	  -DRGAN_PYTHON=OFF -DRGAN_SANITIZE=address,undefined -DRGAN_FUZZ=ON
	$(BIN)/cmake --build build/fuzz --target fuzz_slice fuzz_model
	mkdir -p build/fuzz/slices build/fuzz/models
	$(BIN)/python cpp_bindings/tests/make_corpus.py build/fuzz/slices
	$(BIN)/python cpp_bindings/tests/make_model_corpus.py build/fuzz/models
	build/fuzz/fuzz_slice -max_len=20000 $(FUZZ_OPTIONS) build/fuzz/slices
	build/fuzz/fuzz_model -max_len=60000 $(FUZZ_OPTIONS) build/fuzz/models

# A page that has not changed gives no warning a second time, so all are read anew.
docs: $(VENV)/.docs ## Build the documentation into build/site; a broken link is an error
	rm -rf build/site
	$(BIN)/python -m sphinx --fresh-env --fail-on-warning --keep-going --quiet \
	  --doctree-dir build/doctrees docs build/site

lint: lint-cpp lint-python lint-containers ## Check style, types, layers and container files only

lint-python: $(VENV)/.dev ## Check the Python code with ruff, mypy and import-linter only
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

lint-cpp: $(VENV)/.dev ## Check the C++ code with clang-format and clang-tidy only
	$(BIN)/clang-format --dry-run --Werror $(CPP_FILES)
	$(CMAKE) -S cpp_bindings -B build/lint -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DRGAN_TESTS=ON \
	  -DRGAN_FUZZ=ON -DPython_EXECUTABLE=$(abspath $(BIN)/python) \
	  -Dnanobind_DIR=$$($(BIN)/python -m nanobind --cmake_dir)
	$(BIN)/run-clang-tidy.py -quiet -p build/lint -clang-tidy-binary $(BIN)/clang-tidy \
	  'cpp_bindings/(src|python|tests)/.*\.cpp$$'

lint-containers: $(VENV)/.dev ## Check the container files with hadolint only
	$(BIN)/hadolint containers/*.Dockerfile

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(CPP_FILES)

stubs: $(VENV)/.dev ## Regenerate the type stubs of the native module
	$(BIN)/python -m nanobind.stubgen -m rgan_sdk._core -o rgan_sdk/_core.pyi

wheels: $(VENV)/.wheels ## Build wheels for PYTHONS into dist, and try each outside the repository
	tests/packaging/wheels.sh $(BIN) dist $(PYTHONS)

data: ## Unpack the real scans: make data ARCHIVES=folder (see docs/data.md)
	$(ARCHIVES)/unpack .data

clean: ## Remove what make made, but not the data
	rm -rf $(VENV) build dist $(DEMO)

$(VENV)/.pip: constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	touch $@

$(VENV)/.sdk: $(VENV)/.pip $(SOURCES)
	$(PIP) --editable ".[cpu]"
	touch $@

# There are no wheels of pyradiomics, and its source builds only after these are installed.
$(VENV)/.eval: $(VENV)/.dev
	$(PIP) cython setuptools versioneer wheel
	$(PIP) --no-build-isolation pyradiomics==3.0.1
	touch $@

$(VENV)/.dev: $(VENV)/.pip $(SOURCES)
	$(PIP) --editable ".[cpu,openvino,codecs,nifti,ray,train,eval,flash]" --group lint --group test \
	  --group wheels
	touch $(VENV)/.sdk $@

$(VENV)/.public: $(VENV)/.dev
	$(PIP) --editable ".[public]"
	touch $@

# What the SDK is built with and tested with; no Python of this project.
$(VENV)/.cpp: $(VENV)/.pip
	$(PIP) cmake ninja onnxruntime
	touch $@

$(VENV)/.docs: $(VENV)/.dev
	$(PIP) --group docs
	touch $@

$(VENV)/.wheels: $(VENV)/.pip
	$(PIP) --group wheels
	touch $@
