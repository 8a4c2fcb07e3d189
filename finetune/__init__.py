"""Trains and judges models: python -m finetune …

Imports torch, so it never runs in the web process.
"""
