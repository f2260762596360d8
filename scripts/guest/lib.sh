# SPDX-License-Identifier: GPL-2.0
# Shared by groups.sh and demo.sh in the guest.
#
# Results go to a virtio port, one line each, so that nothing printed on the
# console can pass for a verdict:
#	begin NAME
#	ok|not ok|skip SECONDS NAME # DETAIL
#	done
HP=/sys/kernel/mm/hugepages
PMD=$HP/hugepages-2048kB
THP=/sys/kernel/mm/transparent_hugepage
VERDICT=/dev/hpage.verdict
LOG=/dev/hpage.log

uptime_s() { local a; read -r a _ </proc/uptime; echo "${a%.*}"; }

# meminfo FIELD
meminfo() { awk -v f="$1:" '$1 == f { print $2 }' /proc/meminfo; }

# Every pool: per-node sums, free >= reserved; at rest nothing reserved, no
# surplus, everything free.  Prints what is wrong.
pools_wrong() {
	local d n f total free resv surp nt nf ns

	for d in "$HP"/hugepages-*; do
		total=$(cat "$d/nr_hugepages"); free=$(cat "$d/free_hugepages")
		resv=$(cat "$d/resv_hugepages"); surp=$(cat "$d/surplus_hugepages")
		nt=0; nf=0; ns=0
		for n in /sys/devices/system/node/node*/hugepages/"${d##*/}"; do
			[ -d "$n" ] || continue
			nt=$((nt + $(cat "$n/nr_hugepages")))
			nf=$((nf + $(cat "$n/free_hugepages")))
			ns=$((ns + $(cat "$n/surplus_hugepages")))
		done
		[ "$nt $nf $ns" = "$total $free $surp" ] ||
			echo "${d##*/}: nodes sum to $nt/$nf/$ns, pool says $total/$free/$surp"
		[ "$resv" = 0 ] || echo "${d##*/}: $resv reserved at rest"
		[ "$surp" = 0 ] || echo "${d##*/}: $surp surplus at rest"
		[ "$free" = "$total" ] || echo "${d##*/}: $free of $total free at rest"
	done
}

# What is wrong for more than a moment: a batch of some CPU may hold a page.
pools_still_wrong() {
	local i wrong

	for i in {1..10}; do
		wrong=$(pools_wrong)
		[ -n "$wrong" ] || return 0
		sleep 1
	done
	echo "$wrong"
}

# kB that are neither free nor show up anywhere, which includes what CPUs keep for
# themselves on lists of free pages.
unaccounted() {
	local zram=0

	[ ! -e /sys/block/zram0/mm_stat ] || read -r _ _ zram _ </sys/block/zram0/mm_stat
	awk -v zram="$((zram / 1024))" '
		/^(MemFree|Buffers|Cached|SwapCached|AnonPages|Slab|KernelStack|PageTables|SecPageTables|VmallocUsed|Percpu|Hugetlb):/ {
			n += $2 }
		/^nr_memmap_pages / { n += $2 * 4 }
		/^MemTotal:/ { total = $2 }
		END { print total - n - zram }' /proc/meminfo /proc/vmstat
}

# memory_lost BEFORE: kB of pages that nobody has any more.  CPUs give back a fifth
# of their lists each second; what is left of them makes this vary by 70 MB in runs
# that lose nothing, hence 128.  Who loses a page loses it in every round of a test.
memory_lost() {
	local i now

	for i in $(seq 30); do
		calm
		now=$(unaccounted)
		[ $((now - $1)) -gt 131072 ] || return 0
		sleep 1
	done
	echo "$1 kB before, $now kB now"
}

verdict() { echo "$*" >"$VERDICT"; }

# Every knob of transparent huge pages, as the command that sets it again.
thp_knobs() {
	grep -H . $(find $THP -type f -perm -200) |
		sed 's/:.*\[\(.*\)\].*/:\1/; s/\([^:]*\):\(.*\)/echo \2 >\1/'
}

# t NAME SECONDS COMMAND...: run one test, report its verdict.
t() {
	local name=$1 limit=$2 start rc took word detail wrong
	shift 2

	case $GUEST_FLAVOUR in *debug*) limit=$((limit * 3)) ;; esac
	verdict "begin $name"
	thp_knobs >/tmp/knobs.before
	echo "hpage: $name" >/dev/kmsg
	echo "=== $name: $*" >"$LOG"
	start=$(uptime_s)
	timeout -s KILL "$limit" "$@" >/tmp/out 2>&1 </dev/null
	rc=$?
	took=$(($(uptime_s) - start))
	tail -c 200000 /tmp/out >"$LOG"
	echo "=== $name: exit $rc; $(meminfo MemFree) kB free, $(unaccounted) unaccounted for" >"$LOG"
	detail=$(grep -aE '^# Totals' /tmp/out | tail -n 1 | tr -d '#' | sed 's/^ *//')
	case $rc in
	0)	word=ok
		# A test that skips itself without saying so is no success.
		case $detail in *pass:0\ fail:0\ xfail:0*) word='not ok'; detail="nothing was tested; $detail" ;; esac ;;
	4) word=skip; detail=$(grep -ai skip /tmp/out | tail -n 1) ;;
	137) word='not ok'; detail="killed after $limit s; $detail" ;;
	*) word='not ok'; detail="exit $rc; $(grep -aE '^not ok|FAIL|[Ff]ailed' /tmp/out | head -n 3 | tr '\n' ';') $detail" ;;
	esac
	[ "$word" != ok ] || wrong=$(pools_still_wrong)
	[ -z "$wrong" ] || { word='not ok'; detail="counters: $(echo "$wrong" | tr '\n' ';')"; }
	# A test that was killed leaves knobs as it wanted them, to mislead the next.
	[ "$word" = ok ] || . /tmp/knobs.before
	verdict "$word $took $name # $detail"
}

# check NAME EXPECTED ACTUAL: a verdict without a program
check() {
	if [ "$2" = "$3" ]; then
		verdict "ok 0 $1 # $3"
	else
		verdict "not ok 0 $1 # expected '$2', got '$3'"
	fi
}

nr() { echo 1 >/proc/sys/vm/compact_memory; echo "$1" >/proc/sys/vm/nr_hugepages; }
calm() { echo 3 >/proc/sys/vm/drop_caches; echo 1 >/proc/sys/vm/compact_memory; }
