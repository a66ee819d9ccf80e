"""The outputs of a version by their kinds, independent of the task."""
