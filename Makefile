# make run    starts VibeCheck on this machine
# make demo   starts it on a made-up history of some months, in a folder of its own
# make test   runs what guards behaviour, in a few minutes
# make test-all   runs every test
# make screenshots   takes the pictures of the README, of the real app
# make docs   writes the settings table, and the list of pages
# make lock   writes requirements.lock from requirements.txt (needs uv)
# With REQUIREMENTS=requirements.lock, make run installs exactly the versions that were tested.
# All install what they need into .venv first; nothing is installed twice.

PYTHON ?= python3
VENV ?= .venv
# On Linux, plain torch brings several GB of CUDA, so its CPU wheel is tried first.
TORCH ?= torch==2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
CUDA := triton $(addprefix cuda-,bindings pathfinder toolkit) $(addprefix nvidia-,cublas cuda-cupti cuda-nvrtc \
  cuda-runtime cudnn-cu13 cufft cufile curand cusolver cusparse cusparselt-cu13 nccl-cu13 nvjitlink nvshmem-cu13 nvtx)
ADDRESS ?= 127.0.0.1
PORT ?= 8501
DEMO ?= data-demo
REQUIREMENTS ?= requirements.txt

PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
# Several tests run at once, so the threads of one computation would only wait for each other. Modules are compiled
# once, also where the environment forbids keeping that: tests start a hundred processes.
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(PY) -m pytest --dist loadgroup --durations 20

.PHONY: run demo test check test-quick test-slow test-all lint format screenshots docs lock clean
.DELETE_ON_ERROR:

# Prints a link that opens all pages, and opens it in a browser where there is one.
run: $(VENV)/.app
	$(PY) -m streamlit run Home.py --server.address $(ADDRESS) --server.port $(PORT)

# The history ends when it was made, so one of last week is made anew. Its database and pictures are named, lest
# a setting name the real ones.
demo: $(VENV)/.tools
	@[ -n "$$(find "$(DEMO)/DEMO" -mtime -7 2>/dev/null)" ] || $(PY) -m vibecheck demo --out "$(DEMO)" --replace
	VIBECHECK_DATA="$(DEMO)" VIBECHECK_DATABASE_URL="sqlite:///$(abspath $(DEMO))/vibecheck.db" \
	  VIBECHECK_IMAGES_URL="$(abspath $(DEMO))/images" \
	  $(PY) -m streamlit run Home.py --server.address $(ADDRESS) --server.port $(PORT)

test: $(VENV)/.tools
	$(MAKE) --jobs 2 check test-quick

# Lint, formatting, import contracts, types.
check: $(VENV)/.tools
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/lint-imports
	$(PY) -m mypy

# Many of these tests wait for something, so there are more of them at once than cores.
test-quick: $(VENV)/.tools
	$(PYTEST) --numprocesses 4 -m "not slow"

# What `make test` leaves out.
test-slow: $(VENV)/.tools
	$(PYTEST) --numprocesses 3 -m slow

test-all: test test-slow

lint: $(VENV)/.tools
	$(PY) -m ruff check --fix .

format: $(VENV)/.tools
	$(PY) -m ruff format .

screenshots: $(VENV)/.tools
	$(PY) -m docs.screenshots docs

docs: $(VENV)/.app
	$(PY) -m docs.lists

# Versions that are in the file already stay, unless UV_OPTIONS=--upgrade. The CUDA packages are left out.
lock:
	@head -n 2 requirements.lock > requirements.lock.head
	uv pip compile requirements.txt --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --no-header $(addprefix --no-emit-package ,$(CUDA)) $(UV_OPTIONS) --output-file requirements.lock
	@cat requirements.lock.head requirements.lock > requirements.lock.new
	@mv requirements.lock.new requirements.lock && rm requirements.lock.head

# The stamps are written last, so an installation that was interrupted is taken up again.
$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "VibeCheck needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	@rm -f $(VENV)/bin/python* $(VENV)/.torch $(VENV)/.app $(VENV)/.tools
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -f $(VENV)/bin/python*; echo "No virtual environment could be made. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

$(VENV)/.torch: | $(PY)
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip --upgrade
	@echo "Installing PyTorch for the CPU (about 200 MB)."
	@trap 'exit 130' INT; if [ "$$(uname -s)" = Linux ]; then \
	  $(PIP) install --quiet --retries 0 --timeout 15 "$(TORCH)" --index-url "$(TORCH_INDEX)" \
	  || { echo "That did not work; taking $(TORCH) from where pip is set up to look (on Linux perhaps several GB)."; \
	       $(PIP) install "$(TORCH)"; }; \
	else $(PIP) install "$(TORCH)"; fi
	@touch $@

$(VENV)/.app: $(REQUIREMENTS) $(VENV)/.torch
	$(PIP) install -r $(REQUIREMENTS)
	@touch $@

$(VENV)/.tools: requirements-dev.txt $(VENV)/.app
	$(PIP) install -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache .mypy_cache
