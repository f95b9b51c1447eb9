"""Modbus as data: where meters keep what (device maps), and how their words are numbers."""
