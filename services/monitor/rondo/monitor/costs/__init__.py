"""What the predictions of each version cost: time, processor time, memory, an estimate of emissions."""
