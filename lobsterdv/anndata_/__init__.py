"""What lobsterdv knows about data formats: kinds, shapes and names, how to read and to write them.

Nothing is imported here, so that ``kinds`` costs no start-up time; heavy libraries come in when needed.
"""
