"""python -m vibecheck …"""

from vibecheck.cli.main import main

main()
