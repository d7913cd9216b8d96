"""The commands: each file parses, calls one function of app/, prints and exits."""
