"""Every event and columnar log, and how they are written as CloudEvents."""
