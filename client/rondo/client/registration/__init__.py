"""Registers models made elsewhere: metadata of a file, conversion of estimators, outcome of a registration."""
