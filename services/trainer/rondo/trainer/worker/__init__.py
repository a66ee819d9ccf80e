"""The process that trains: the queue of runs, the loop that claims them, and the supervisor in the service."""
