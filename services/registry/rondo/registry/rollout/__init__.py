"""How a version takes over and how it is withdrawn: strategies (replace; a canary belongs here), rollback."""
