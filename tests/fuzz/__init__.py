"""Bytes from the line, whatever they are: nothing crashes, nothing hangs, nothing is taken for another's answer."""
