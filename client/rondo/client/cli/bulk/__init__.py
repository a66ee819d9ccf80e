"""Commands for a file of JSON Lines. Each line is a request or an outcome, and gets a result or an error."""
