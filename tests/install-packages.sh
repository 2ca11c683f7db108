#!/bin/sh
# Installs the Debian packages that the tests need, where they are missing, and says which. Their services are not
# started, and nothing that runs is stopped: the tests start programs of their own. Silent when nothing is missing.
set -eu

packages='dovecot-imapd dovecot-pop3d bind9-dnsutils bind9 knot knot-dnsutils nsd pdns-server pdns-backend-sqlite3 rbldnsd nginx-light libnginx-mod-mail libidn12 pamtester sasl2-bin sqlite3 curl iproute2 xz-utils zstd gzip bsdutils faketime fail2ban logrotate systemd-journal-remote postfix rspamd redis-server nftables openssl python3-aiosmtpd dovecot-auth-lua lua-socket openssl spamassassin unbound'

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "This is no Debian: install what matches $packages" >&2
    exit 1
fi

missing=
for package in $packages; do
    is_installed "$package" || missing="$missing $package"
done
# Exim's package would take Postfix away: it is unpacked beside, and needs its user.
exim=/usr/local/lib/ratter-tests/exim
[ -x "$exim/usr/sbin/exim4" ] || missing="$missing exim4-daemon-light"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    # The same script again, as root, so that everything below needs no thought about who runs it.
    command -v sudo >/dev/null 2>&1 || {
        echo "Run this as root: sh $0" >&2
        exit 1
    }
    exec sudo sh "$0"
fi
echo "Installing what the tests need:$missing"

# Debian starts a service when its package is installed, unless this program forbids it. One that is there already is
# the admin's and stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ] && [ ! -L "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# A list of words is meant here.
# shellcheck disable=SC2086
apt-get -qq install --no-install-recommends --yes $(echo "$missing" | sed 's/exim4-daemon-light//') >/dev/null
if [ ! -x "$exim/usr/sbin/exim4" ]; then
    mkdir -p "$exim"
    unpacked=$(mktemp -d)
    (cd "$unpacked" && apt-get -qq download exim4-daemon-light && dpkg -x exim4-daemon-light_*.deb "$exim")
    rm -rf "$unpacked"
    getent passwd Debian-exim >/dev/null ||
        useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin Debian-exim
fi
echo "Done."
