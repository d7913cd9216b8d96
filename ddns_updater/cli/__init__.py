"""The commands: each file parses options, calls one function of app/, prints and exits."""
