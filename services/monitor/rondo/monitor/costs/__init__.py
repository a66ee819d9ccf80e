"""The cost of the predictions of each version: time, processor time, memory, an estimate of emissions."""
