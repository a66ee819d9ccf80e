"""What a request may contain: JSON to rows of columns, the data contract, and the errors for what does not fit."""
