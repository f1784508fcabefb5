# Runs inside a new Debian tree with a pyenv's Python copied to /usr/local and VERSION set: takes away
# what an image does not need, and makes the names that Dockerfiles call.

library=/usr/local/lib/python$VERSION
rm -rf "$library"/test "$library"/config-* "$library"/site-packages/* /usr/local/lib/*.a
mv "/usr/local/bin/python$VERSION" /usr/local/python
rm -rf /usr/local/bin/*
mv /usr/local/python "/usr/local/bin/python$VERSION"
for name in python python3; do ln -s "python$VERSION" "/usr/local/bin/$name"; done
ldconfig
python -m ensurepip --default-pip
python -c 'import bz2, ctypes, curses, lzma, readline, sqlite3, ssl, uuid'
find / -xdev -name __pycache__ -prune -exec rm -rf {} +
