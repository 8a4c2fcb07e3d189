"""python -m vibecheck.jobs FOLDER: stays with one training run (see runner.py). The app starts it."""

import sys

from vibecheck.jobs.runner import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
