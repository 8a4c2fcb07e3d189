"""Training runs that the app starts, in separate processes that outlive it.

runs.py        starts, cancels and lists them
supervisor.py  a process that runs the training command and reports to the records
events.py      the command's output, line by line → RunProgress
runs_table.py  the table that all copies of the app share
run_folder.py  the folder of a run: events, log, results
recipe.py      hyperparameters
estimate.py    time, memory and disk of a run, before it starts
resources.py   cores, process ids, priorities
"""
