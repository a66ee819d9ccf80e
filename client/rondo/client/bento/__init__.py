"""Packs a version of a model as a Bento, which BentoML serves and containerizes without Rondo."""
