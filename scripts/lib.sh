# SPDX-License-Identifier: GPL-2.0
# Shared by all scripts: where things are, how to say things, how to install.
# Sourced by bash with ROOT unset; sets -euo pipefail.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$ROOT/build
JOBS=${JOBS:-$(nproc)}
# The kernel's rules have the compiler write down what a file includes: no need to
# preprocess it once more to find that out.
export CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1
export LC_ALL=C KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=hpage KBUILD_BUILD_HOST=hpage

say()  { printf '==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
die()  { printf 'error: %s\n' "$*" >&2; exit 1; }

# elapsed seconds as m:ss
clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# need_packages PACKAGE...: install what is missing, or say what is missing.
need_packages() {
	local p missing=() apt=()

	if ! command -v dpkg-query >/dev/null; then
		note "not a Debian system: please provide what these packages hold: $*"
		return 0
	fi
	for p in "$@"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null |
			grep -q 'ok installed' || missing+=("$p")
	done
	[ ${#missing[@]} -eq 0 ] && return 0
	if [ "$(id -u)" = 0 ]; then
		apt=(apt-get)
	elif sudo -n true 2>/dev/null; then
		apt=(sudo -n apt-get)
	else
		die "missing packages: ${missing[*]} (install them, or run as root or with sudo)"
	fi
	say "installing ${#missing[@]} packages: ${missing[*]}"
	# Two targets may want to install at once.
	{
		flock 9
		"${apt[@]}" -qq update >/dev/null 2>&1 || true
		DEBIAN_FRONTEND=noninteractive "${apt[@]}" -qq -y \
			-o DPkg::Lock::Timeout=300 install \
			--no-install-recommends "${missing[@]}" \
			>"$BUILD/apt.log" 2>&1 ||
			die "apt-get could not install ${missing[*]}; see build/apt.log"
	} 9>"$BUILD/.apt.lock"
}

# kmake TARGET...: make in the kernel tree $tree, objects in $out; see set_arch.
kmake() {
	make -C "$tree" O="$out" ARCH="$KARCH" CROSS_COMPILE="$CROSS" \
		CC="ccache ${CROSS}gcc" "$@"
}

# lock_out: wait until nobody else builds in $out; until this shell ends.
lock_out() {
	mkdir -p "$out"
	exec 8>"$out/.lock"
	flock -n 8 && return 0
	note "another build is at work in ${out#"$ROOT"/}, waiting for it"
	flock 8
}

# counted LABEL STATE: pass a build's lines through, print progress from them.
# The number of lines of the last complete run is kept in STATE.
counted() {
	local label=$1 state=$2 total=0 n=0 line start step last=0

	[ -f "$state" ] && total=$(cat "$state")
	[ "$total" -gt 0 ] || total=${3:-0}
	start=$(date +%s)
	while IFS= read -r line; do
		case $line in
		*warning:*|*error:*|*Error*|*undefined*|*note:*|"  "[0-9]*"|"*)
			printf '    %s\n' "$line" ;;
		esac
		case $line in "  CC "*|"  AS "*|"  AR "*|"  LD "*|"  CC"*) ;; *) continue ;; esac
		n=$((n + 1))
		step=$(($(date +%s) - start))
		if [ $((step - last)) -ge 20 ]; then
			last=$step
			note "$label: $n of about $total objects, $(clock $step)"
		fi
	done
	[ "$n" -gt "$total" ] && echo "$n" >"$state"
	note "$label: $n objects, $(clock $(($(date +%s) - start)))"
}

base_version() { sed -n 's/^version //p' "$ROOT/BASE"; }
base_package() { sed -n 's/^package //p' "$ROOT/BASE"; }

# Where the pristine base lies; scripts/base makes it.
base_dir() {
	if [ -n "${BASE_TREE:-}" ]; then
		(cd "$BASE_TREE" && pwd)
	else
		cat "$BUILD/base/current" 2>/dev/null ||
			die "no base tree yet: run make tree"
	fi
}

# kernel_release DIR: x.y.z of a kernel tree
kernel_release() {
	awk -F ' *= *' '/^VERSION/ { v = $2 } /^PATCHLEVEL/ { p = $2 }
		/^SUBLEVEL/ { s = $2; print v "." p "." s; exit }' "$1/Makefile"
}

# For ARCH x86_64 or arm64: variables for make and for the guest.
set_arch() {
	ARCH=$1
	case $ARCH in
	x86_64)
		CROSS=; IMAGE=arch/x86/boot/bzImage; KARCH=x86_64
		DEBARCH=amd64; TRIPLE=x86_64-linux-gnu ;;
	arm64)
		CROSS=aarch64-linux-gnu-; IMAGE=arch/arm64/boot/Image; KARCH=arm64
		DEBARCH=arm64; TRIPLE=aarch64-linux-gnu ;;
	*) die "ARCH must be x86_64 or arm64, not '$ARCH'" ;;
	esac
	if [ "$(uname -m)" = "${TRIPLE%%-*}" ]; then
		CROSS=
	elif [ "$ARCH" = x86_64 ]; then
		CROSS=x86_64-linux-gnu-
	fi
}
