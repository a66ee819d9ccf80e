"""Registers models made elsewhere: metadata of a file, conversion of estimators, and results of registrations."""
