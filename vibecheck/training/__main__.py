"""python -m vibecheck.training FOLDER: stays with one training run (see runner.py). The app starts it."""

import sys

from vibecheck.training.supervisor import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
