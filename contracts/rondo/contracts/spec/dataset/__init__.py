"""The dataset spec: its keys, its checks, how it may change, and what models may take from it."""
