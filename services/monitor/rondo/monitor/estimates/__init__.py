"""Performance where outcomes are missing: what is to be expected by the predictions alone.

`make bench ONLY=estimates` compares it with the truth.
"""
