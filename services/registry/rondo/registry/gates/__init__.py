"""Is a candidate good enough? The gates, and the comparison with the champion."""
