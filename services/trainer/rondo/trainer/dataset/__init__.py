"""The training set: published batches joined with served predictions and outcomes."""
