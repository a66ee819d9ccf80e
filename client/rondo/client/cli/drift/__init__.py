"""`rondo drift`: what has changed of a model, since when, and how sure that is."""
