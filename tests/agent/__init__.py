"""Tests of the program that runs beside each Asterisk."""
