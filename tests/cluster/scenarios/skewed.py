"""kubekit with its own clock wrong by so many seconds; the machine's is not touched."""

import sys
import time

wrong_by = float(sys.argv.pop(1))
for name in ("time", "monotonic"):
    right = getattr(time, name)
    setattr(time, name, lambda right=right: right() + wrong_by)

from kubekit.cli import main  # noqa: E402 - only now, so that it knows no other clock

if __name__ == "__main__":
    sys.exit(main())
