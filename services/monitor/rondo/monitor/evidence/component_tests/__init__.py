"""The tests of components that share blocks of rows, and their start from the reference of a version."""
