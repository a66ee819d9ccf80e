"""Independent readers that count requests and answers, and record events and outages."""
