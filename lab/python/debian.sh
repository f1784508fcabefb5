# Runs inside a new Debian tree (mmdebstrap's customize hook), with VERSION set. Debian's Python becomes
# what Dockerfiles written for the official image expect: all of it below /usr/local, `pip install
# --prefix` as upstream has it, no "externally managed environment", and no Python of dpkg's beside it.

cp -a "/usr/lib/python$VERSION" /usr/local/lib/
cp -a "/usr/bin/python$VERSION" /usr/local/bin/
# The wheels stay: `python -m venv` takes its pip from there.
dpkg --purge --force-depends \
  $(dpkg-query -W -f '${binary:Package}\n' 'python3*' 'libpython3*' | grep -v -e '-whl$')
rm -rf /usr/lib/python3*

library=/usr/local/lib/python$VERSION
# What an extension in C is built with, without the package: verify would name that in every image.
dpkg-deb --extract /tmp/headers/*.deb /tmp/headers
cp -a /tmp/headers/usr/include /usr/local/
rm -rf /tmp/headers
sed -i "s#/usr/include/#/usr/local/include/#g" "$library"/_sysconfigdata_*.py
rm -rf "$library/EXTERNALLY-MANAGED" "$library"/config-*
# Debian's own additions: where packages are installed to (one file up to 3.12, a package later) ...
sed -i "s/prefix_scheme = 'posix_local'/prefix_scheme = 'posix_prefix'/; s/'posix_local')/'posix_prefix')/" \
  "$(ls "$library/sysconfig.py" 2>/dev/null || echo "$library/sysconfig/__init__.py")"
# ... and where they are looked for, which is compiled into the interpreter.
mkdir "$library/site-packages"
ln -s site-packages "$library/dist-packages"
for name in python python3; do ln -s "python$VERSION" "/usr/local/bin/$name"; done

wheel=$(echo /usr/share/python-wheels/pip-*.whl)
PYTHONPATH="$wheel" python -m pip install --quiet --no-index --no-cache-dir \
  --root-user-action=ignore "$wheel"
# What a build will rely on, tried before there is any build.
test -d "$library/site-packages/pip"
pip install --quiet --no-index --no-deps --ignore-installed --prefix=/tmp/prefix "$wheel"
test -d "/tmp/prefix/lib/python$VERSION/site-packages/pip"
python -m venv /tmp/venv
rm -rf /tmp/prefix /tmp/venv
find / -xdev -name __pycache__ -prune -exec rm -rf {} +
