#!/bin/sh
# Fills a folder with the Dovecot 2.4 of Debian 13 and the libraries that it needs, for the tests that want the real one
# (tests/tests/dovecot24_live.rs, which run this by themselves):
#
#   sh tests/trixie.sh FOLDER
#
# apt loads some 50 MB from Debian's servers and checks their signatures. The packages are only unpacked: no script of theirs
# runs, and nothing outside of the folder is changed.
set -eu
folder=${1:?the folder to fill}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
keys=/usr/share/keyrings/debian-archive-keyring.gpg
if [ -x "$folder/usr/sbin/dovecot" ]; then
    echo "$folder has a Dovecot already"
    exit 0
fi
for program in apt-get dpkg-deb; do
    command -v "$program" >/dev/null 2>&1 || {
        echo "$program is missing: this is no Debian" >&2
        exit 1
    }
done
[ -r "$keys" ] || {
    echo "$keys is missing (apt-get install debian-archive-keyring)" >&2
    exit 1
}

# An apt of its own, which knows of no installed package and of no other source.
mkdir -p "$(dirname "$folder")"
apt=$(mktemp -d)
new=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$apt" "$new"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/parts"
: >"$apt/status"
echo "deb [signed-by=$keys] $mirror trixie main" >"$apt/sources.list"
cat >"$apt/apt.conf" <<END
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/parts";
Dir::Etc::preferences "$apt/none";
Dir::Etc::preferencesparts "$apt/parts";
pkgCacheGen::ForceEssential "none";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
END
export APT_CONFIG="$apt/apt.conf"
apt-get -qq -o APT::Update::Error-Mode=any update
apt-get -qq --yes --download-only install dovecot-imapd dovecot-auth-lua lua-socket >/dev/null

# Since Debian 12 all programs and libraries are in /usr.
for part in bin lib lib64 sbin; do
    mkdir -p "$new/usr/$part"
    ln -s "usr/$part" "$new/$part"
done
for package in "$apt"/cache/archives/*.deb; do
    dpkg-deb --extract "$package" "$new"
done
# Where the tests mount, and the users that the packages' scripts would have made.
mkdir -p "$new/dev" "$new/proc" "$new/run" "$new/tmp" "$new/var/lib/dovecot"
cat >"$new/etc/passwd" <<END
root:x:0:0:root:/root:/bin/sh
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
dovecot:x:100:101:Dovecot:/usr/lib/dovecot:/usr/sbin/nologin
dovenull:x:101:102:Dovecot login:/nonexistent:/usr/sbin/nologin
END
cat >"$new/etc/group" <<END
root:x:0:
mail:x:8:
nogroup:x:65534:
dovecot:x:101:
dovenull:x:102:
END
chmod 755 "$new"
# At once, so that a folder of that name is a whole one.
mv -T "$new" "$folder"
echo "$folder has Dovecot $(dpkg-deb --field "$apt"/cache/archives/dovecot-core_*.deb Version)"
