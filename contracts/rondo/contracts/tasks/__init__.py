"""The tasks of models: one file per task. A new task is one file here and its line in `registry`."""
