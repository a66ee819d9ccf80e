"""Independent readers: they count requests and answers and record events and outages."""
