"""The trainer reads a data version and a spec, and makes a candidate model and its evidence."""
