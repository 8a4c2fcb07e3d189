"""python -m finetune …"""

from vibecheck.__main__ import main

if __name__ == "__main__":
    main("finetune.commands")
