"""Rows of many millions in little memory."""
