"""What was served and how it turned out, landed in Delta tables."""
