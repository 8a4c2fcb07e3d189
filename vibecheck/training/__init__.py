"""Training runs: started by the app, in processes of their own that outlive it.

Jobs (desk.py)  starts, cancels and lists them; the page asks it
runner.py       python -m vibecheck.training FOLDER: starts the training command and stays with it
events.py       what the command says, line by line → Progress
ledger.py       the table in which every copy of the app sees how a run goes
folder.py       the folder of a run: what was asked, what was said, the log, what came out
machine.py      cores, process numbers, and giving way to the live video
bases.py        how long a run will take, and how much memory
"""
