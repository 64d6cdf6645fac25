"""The command line: it parses what was typed, calls one verb, and says what happened. Nothing below imports it."""
