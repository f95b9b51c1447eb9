"""Between our records and a format's elements and attributes stands data: names can change without a line of code."""
