#!/bin/sh
# Runs the client checks: DICOMweb on Orthanc, OHIF in headless Chromium, the Slicer contract.
# usage: apps/clients/run.sh PYTHON          (PICTURES=1 also replaces the guide's screenshots)
set -eu
python="${1:-python3}"
missing=""
[ -x /usr/sbin/Orthanc ] || command -v Orthanc >/dev/null || missing="$missing orthanc"
[ -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so ] || missing="$missing orthanc-dicomweb"
command -v chromium >/dev/null || missing="$missing chromium"
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq
        # shellcheck disable=SC2086 # a list of package names
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
    else
        echo "skipped: these Debian packages are missing, and only root can install them:$missing"
        exit 0
    fi
fi
"$python" -c "import playwright" 2>/dev/null || "$python" -m pip install -q "playwright>=1.45"
export SPSS_CLIENTS=1
[ -z "${PICTURES:-}" ] || export SPSS_PICTURES=1
exec "$python" -m pytest tests/clients tests/spss_app/dicomweb -rs --durations=10
