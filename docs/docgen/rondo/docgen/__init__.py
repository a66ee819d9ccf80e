"""Writes the documents and pages that are generated from the contracts: `make docs`, `make schemas`."""
