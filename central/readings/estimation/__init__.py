"""Estimation: substitute values of days that stayed incomplete, in the order that the law sets."""
