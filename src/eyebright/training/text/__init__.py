"""Texts beside images: their features, and the head that reads both."""
