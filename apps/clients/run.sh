#!/bin/sh
# Runs the client checks: DICOMweb on Orthanc, OHIF in headless Chromium, the Slicer contract.
# usage: apps/clients/run.sh PYTHON          (PICTURES=1 also replaces the guide's screenshots)
# What is missing and cannot be installed is named, and what needs it is skipped with that reason.
set -eu
python="${1:-python3}"

list_missing() {
    missing=""
    [ -x /usr/sbin/Orthanc ] || command -v Orthanc >/dev/null || missing="orthanc"
    plugin=/usr/share/orthanc/plugins/libOrthancDicomWeb.so
    [ -e "$plugin" ] || missing="$missing orthanc-dicomweb"
    command -v chromium >/dev/null || missing="$missing chromium"
}

install_debian() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" = 0 ] || return 1
    patience="-o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20"
    # shellcheck disable=SC2086 # a list of options, a list of package names
    timeout 120 apt-get $patience update -qq || return 1
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive timeout 600 \
        apt-get $patience install -y -qq --no-install-recommends $missing
}

install_browser_driver() {
    uv="$(dirname "$python")/uv"
    if [ -x "$uv" ]; then
        "$uv" pip install --quiet --python "$python" --editable ".[clients]" && return
    fi
    "$python" -m pip install --quiet --editable ".[clients]"
}

list_missing
if [ -n "$missing" ]; then
    install_debian || echo "Debian packages cannot be installed here (not root, or no network)."
    list_missing
fi
[ -z "$missing" ] || echo "Checks are skipped that need the Debian packages: $missing"
"$python" -c "import playwright" 2>/dev/null || install_browser_driver ||
    echo "Checks in a browser are skipped: the Python package playwright cannot be installed."
export SPSS_CLIENTS=1
[ -z "${PICTURES:-}" ] || export SPSS_PICTURES=1
exec "$python" -m pytest tests/clients tests/spss_app/dicomweb -rs --durations=10
