"""The zip for AWS Lambda, as contrib/lambda/build makes it."""

import subprocess
import sys
from pathlib import Path

BUILD = Path(__file__).parents[2] / "contrib" / "lambda" / "build"


def build(out: Path) -> str:
    """Build the zip, and return what the build printed."""
    done = subprocess.run([sys.executable, BUILD, out], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
