"""Commands over a file of JSON Lines: one request or outcome per line, and a result or an error for each."""
