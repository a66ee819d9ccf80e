"""Admits specs and candidates: what may be applied, what becomes a version."""
