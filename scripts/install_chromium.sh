#!/usr/bin/env bash
# Installs Debian's Chromium, in which the tests open the pages of the reports (tests/report), where
# none is installed. Needs apt-get, and root or a sudo that asks for no password.
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" = 0 ]; then sudo=(); else sudo=(sudo --non-interactive); fi
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -qq >/dev/null
"${sudo[@]}" apt-get install -qq -y --no-install-recommends chromium >/dev/null
