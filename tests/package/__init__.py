"""What the package brings besides the program: its manual page and the completion of shells."""
