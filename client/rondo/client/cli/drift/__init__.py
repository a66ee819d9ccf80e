"""`rondo drift`: the changes of a model, their start, and the evidence for them."""
