"""The keys of an artifact's metadata that both the trainer and serving know, beside that of the task."""

# By feature 50 values, as JSON: what the feature may be where it is unknown.
BACKGROUND = "rondo.background"
