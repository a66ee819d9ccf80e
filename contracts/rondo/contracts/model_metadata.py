"""Keys of an artifact's metadata that the trainer and serving share.

The key of the task is in `rondo.contracts.tasks`.
"""

# The key of a JSON object with 50 values for each feature. Explanations use them in place of a feature that is left
# out.
BACKGROUND = "rondo.background"
