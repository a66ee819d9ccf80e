"""Compares the values that models were served with those that are published about the same cases."""
