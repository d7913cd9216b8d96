"""The update endpoint: hosts keep their own names by requests, without AWS keys."""
