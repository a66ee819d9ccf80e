"""Evidence against "nothing has changed", from blocks of rows.

It is valid after every block, however often one looks.
"""
