"""Small faults are planted in the modules where loss happens, one at a time: how many do the tests near them find?

``python -m tests.mutation`` (``make mutants``) plants them, runs the tests that reach their line, prints what lived.
"""
