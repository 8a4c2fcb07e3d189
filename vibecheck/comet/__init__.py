"""Comet keeps a copy of the records: the outbox is sent there, and a new disk is restored from it.

Only the sending process and commands import `comet_ml`: it replaces the process's exception hook, watches
imports and starts threads, and loading it stalls live video for most of a second.
"""
