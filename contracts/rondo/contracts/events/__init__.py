"""All events and columnar logs, and the CloudEvents format of events."""
