"""The model that ships: how it is trained from FER+ and measured."""
