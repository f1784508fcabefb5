"""In an init container: fill empty volumes with what the image has at their places.

Usage: fill.py FROM TO [FROM TO]...
"""

import shutil
import sys
from pathlib import Path

for source, target in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
    if not Path(source).is_dir():
        continue
    # Not the folder itself: the volume's own is not ours to change.
    for found in Path(source).iterdir():
        to = Path(target, found.name)
        if found.is_dir() and not found.is_symlink():
            shutil.copytree(found, to, symlinks=True)
        else:
            shutil.copy2(found, to, follow_symlinks=False)
