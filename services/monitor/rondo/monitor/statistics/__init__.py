"""Statistics of a window for people. They describe the window, and decisions are made from `evidence`."""
