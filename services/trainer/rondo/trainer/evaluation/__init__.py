"""How good a candidate is, beside the champion, and the evidence of it."""
