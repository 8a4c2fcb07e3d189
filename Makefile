# make run    starts VibeCheck on this machine
# make demo   starts it with a synthetic history, in a separate folder
# make test   runs checks and quick tests, in a few minutes
# make test-all   runs all tests
# make screenshots   takes the documentation's screenshots of the real app
# make docs   generates tables and the list of pages in docs/
# make lock   generates requirements.lock from requirements.txt (needs uv)
# REQUIREMENTS=requirements.lock installs exactly the tested versions.
# Each target first installs what it needs into .venv.

PYTHON ?= python3
VENV ?= .venv
# On Linux, plain torch installs several GB of CUDA, so the CPU wheel is tried first.
TORCH ?= torch==2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
CUDA := triton $(addprefix cuda-,bindings pathfinder toolkit) $(addprefix nvidia-,cublas cuda-cupti cuda-nvrtc \
  cuda-runtime cudnn-cu13 cufft cufile curand cusolver cusparse cusparselt-cu13 nccl-cu13 nvjitlink nvshmem-cu13 nvtx)
ADDRESS ?= 127.0.0.1
PORT ?= 8501
DEMO ?= data-demo
REQUIREMENTS ?= requirements.txt

PY := $(VENV)/bin/python
# Stamp files. This one also says from which file the packages were installed last.
APP := $(VENV)/.app-$(notdir $(REQUIREMENTS))
PIP := $(PY) -m pip --disable-pip-version-check
# Tests run in parallel, so one thread per computation is enough. Bytecode is cached even if the environment disables
# it, since the tests start a hundred processes.
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(PY) -m pytest --dist loadgroup --durations 20

.PHONY: run demo test check test-quick test-slow test-all lint format screenshots docs lock clean
.DELETE_ON_ERROR:

# Prints a link that opens all pages, and opens it in a browser if there is one.
run: $(APP)
	$(PY) -m streamlit run Home.py --server.address $(ADDRESS) --server.port $(PORT)

# The history ends when it is generated, so it is regenerated after a week. The URLs override settings that point to
# real data.
demo: $(APP)
	@[ -n "$$(find "$(DEMO)/DEMO" -mtime -7 2>/dev/null)" ] || $(PY) -m vibecheck demo --out "$(DEMO)" --replace
	VIBECHECK_DATA="$(DEMO)" VIBECHECK_DATABASE_URL="sqlite:///$(DEMO)/vibecheck.db" \
	  VIBECHECK_IMAGES_URL="$(DEMO)/images" \
	  $(PY) -m streamlit run Home.py --server.address $(ADDRESS) --server.port $(PORT)

test: $(VENV)/.tools
	$(MAKE) --jobs 2 check test-quick

# Lint, formatting, import contracts, types.
check: $(VENV)/.tools
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/lint-imports
	$(PY) -m mypy

# Many tests mostly wait, so more run at once than there are cores.
test-quick: $(VENV)/.tools
	$(PYTEST) --numprocesses 4 -m "not slow"

# The tests that `make test` leaves out.
test-slow: $(VENV)/.tools
	$(PYTEST) --numprocesses 3 -m slow

test-all: test test-slow

lint: $(VENV)/.tools
	$(PY) -m ruff check --fix .

format: $(VENV)/.tools
	$(PY) -m ruff format .

screenshots: $(VENV)/.tools
	$(PY) -m docs.screenshots docs

docs: $(APP)
	$(PY) -m docs.lists

# Keeps locked versions, unless UV_OPTIONS=--upgrade. Leaves out the CUDA packages.
lock:
	@head -n 2 requirements.lock > requirements.lock.head
	uv pip compile requirements.txt --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --no-header $(addprefix --no-emit-package ,$(CUDA)) $(UV_OPTIONS) --output-file requirements.lock
	@cat requirements.lock.head requirements.lock > requirements.lock.new
	@mv requirements.lock.new requirements.lock && rm requirements.lock.head

# Stamp files are written last, so that an interrupted installation is continued.
$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "VibeCheck needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	@rm -f $(VENV)/bin/python* $(VENV)/.torch $(VENV)/.app* $(VENV)/.tools
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -f $(VENV)/bin/python*; echo "No virtual environment could be created. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

# Again after each change of this file: requirements.txt alone would replace an older TORCH by the CUDA build.
$(VENV)/.torch: Makefile | $(PY)
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip --upgrade
	@echo "Installing PyTorch for the CPU (about 200 MB)."
	@trap 'exit 130' INT; if [ "$$(uname -s)" = Linux ]; then \
	  $(PIP) install --quiet --retries 0 --timeout 15 "$(TORCH)" --index-url "$(TORCH_INDEX)" \
	  || { echo "The download failed; installing $(TORCH) from pip's configured index (on Linux perhaps several GB)."; \
	       $(PIP) install "$(TORCH)"; }; \
	else $(PIP) install "$(TORCH)"; fi
	@touch $@

$(APP): $(REQUIREMENTS) $(VENV)/.torch
	$(PIP) install -r $(REQUIREMENTS)
	@rm -f $(VENV)/.app*
	@touch $@

$(VENV)/.tools: requirements-dev.txt $(APP)
	$(PIP) install -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) build vibecheck.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache .mypy_cache
