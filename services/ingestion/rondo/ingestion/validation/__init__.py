"""Reading a batch file and checking its rows against the contract of its dataset. Pure functions of values."""
