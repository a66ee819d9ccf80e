"""The dataset spec: its keys, its checks, the changes that it allows, and the columns that models may use."""
