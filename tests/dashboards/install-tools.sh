#!/bin/sh
# Installs the real programs that the tests run, where that is possible: as root on a Debian with apt.
# Usage: install-tools.sh [pictures]     With "pictures" also what draws the panels.
# Never fails because of a missing program: the tests say what they need, and CI makes that a failure.
set -eu

programs="promtool:prometheus prometheus:prometheus amtool:prometheus-alertmanager"
programs="$programs prometheus-alertmanager:prometheus-alertmanager faketime:faketime haproxy:haproxy jq:jq node:nodejs npm:npm"
[ "${1:-}" = pictures ] && programs="$programs chromium:chromium"

packages=""
for entry in $programs; do
    command -v "${entry%%:*}" >/dev/null 2>&1 || packages="$packages ${entry#*:}"
done
packages=$(printf '%s\n' $packages | sort -u | tr '\n' ' ')
[ -n "${packages% }" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1 || [ ! -e /etc/debian_version ]; then
    echo "missing: $packages- this is no Debian; install Prometheus, Alertmanager, libfaketime, HAProxy, jq and Node.js (programs" \
        "prometheus, promtool, prometheus-alertmanager, amtool, faketime, haproxy, jq, node, npm) so that they are on PATH, or their tests are skipped" >&2
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo "missing: $packages- install with: sudo apt-get update && sudo apt-get install $packages" >&2
    exit 0
fi

echo "== installing with apt: $packages"
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -qq && apt-get install -qq -y --no-install-recommends $packages >/dev/null; }; then
    echo "apt could not install: $packages- see its messages above" >&2
fi
