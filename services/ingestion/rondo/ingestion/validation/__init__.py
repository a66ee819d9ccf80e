"""Reads a batch file and validates its rows by the contract of its dataset. All functions are pure."""
