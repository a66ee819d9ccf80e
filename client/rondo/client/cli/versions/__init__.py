"""Models and their versions: list and describe, promote, roll back, train, register, remove, export."""
