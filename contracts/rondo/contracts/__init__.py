"""The events, the topics and the model spec of Rondo."""
