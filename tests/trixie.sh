#!/bin/sh
# Fills a folder with Debian 13 and its Dovecot 2.4, for the tests that want the real one:
#
#   sh tests/trixie.sh FOLDER
#   RATTER_TRIXIE=FOLDER cargo test -p ratter-tests --test dovecot24_live -- --ignored
#
# It loads some 150 MB from Debian's servers, and needs root and `debootstrap`. Nothing outside of the folder is changed.
set -eu
folder=${1:?the folder to fill}
if [ -x "$folder/usr/sbin/dovecot" ]; then
    echo "$folder has a Dovecot already"
    exit 0
fi
command -v debootstrap >/dev/null 2>&1 || {
    echo "debootstrap is not installed (apt-get install debootstrap)" >&2
    exit 1
}
debootstrap --variant=minbase trixie "$folder" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
# No service is started in it: the tests do that.
printf '#!/bin/sh\nexit 101\n' >"$folder/usr/sbin/policy-rc.d"
chmod 755 "$folder/usr/sbin/policy-rc.d"
DEBIAN_FRONTEND=noninteractive chroot "$folder" apt-get -qq install --no-install-recommends --yes \
    dovecot-imapd dovecot-auth-lua lua-socket >/dev/null
chroot "$folder" dovecot --version
