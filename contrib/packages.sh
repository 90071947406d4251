# Sourced by quickstart and check: installs Debian packages, starting no
# service. Not a program of its own.

BUILD_PACKAGES="build-essential autoconf automake pkg-config python3
	libldns-dev libevent-dev liblmdb-dev libjansson-dev libyaml-dev
	libsmartcols-dev libsystemd-dev libcap-ng-dev libseccomp-dev
	libidn2-dev libxxhash-dev libsodium-dev"

# as_root COMMAND...: by sudo where we are not root.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "Needs root (or sudo): $*" >&2
		return 1
	fi
}

# missing_packages NAME...: those that are not installed.
missing_packages() {
	local name
	for name in "$@"; do
		dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || echo "$name"
	done
}

policy=/usr/sbin/policy-rc.d
policy_made=

# A package of a daemon starts it when installed; policy-rc.d forbids that
# while we install, and is as it was afterwards.
restore_policy() {
	if [ -n "$policy_made" ]; then
		as_root rm -f "$policy"
		policy_made=
	fi
}

# install_packages NAME...: what is missing of them.
install_packages() {
	local missing status=0
	missing=$(missing_packages "$@")
	[ -n "$missing" ] || return 0
	if ! command -v apt-get >/dev/null; then
		echo "This is no Debian. Please install what these packages hold, then start again:" >&2
		echo $missing >&2
		return 1
	fi
	echo "Installing: " $missing
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null || return 1
		as_root chmod 755 "$policy"
		policy_made=1
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq || status=$?
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
		status=$?
	restore_policy
	return $status
}
