"""python -m vibecheck.training FOLDER COMMAND…: supervises one training run. The app starts it."""

import sys

from vibecheck.training.supervisor import main

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
