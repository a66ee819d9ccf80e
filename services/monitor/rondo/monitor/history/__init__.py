"""The closed windows of each model: their records, and pages of records."""
