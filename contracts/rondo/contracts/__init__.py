"""Every event, topic and the model spec of Rondo."""
