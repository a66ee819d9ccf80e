"""Evidence against "nothing has changed", from blocks of rows: it may be looked at after every block."""
