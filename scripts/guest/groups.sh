#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Test groups of the guest; hpage.groups= on the command line says which.
# A stock test is run as it is; its limits are those of a loaded host.
. /tests/lib.sh
exec </dev/null
# A kernel with every check on is slower by a factor of ten.
case $GUEST_FLAVOUR in *debug*) export HUGETLB_SEQUENCES=12 ;; esac

# Small pools of the sizes that only some architectures have.
small_sizes() {
	local h
	for h in $HP/hugepages-64kB $HP/hugepages-32768kB; do
		[ -d "$h" ] && echo "$1" >"$h/nr_hugepages"
	done
	return 0
}

g_kunit() {
	local f suite

	for f in /sys/kernel/debug/kunit/*/results; do
		[ -e "$f" ] || { check kunit "results" "none"; return; }
		suite=${f%/results}; suite=kunit-${suite##*/}
		cat "$f" >"$LOG"
		if grep -q '^not ok\|^ *not ok' "$f" || ! grep -q '^ok' "$f"; then
			verdict "not ok 0 $suite # $(grep 'not ok' "$f" | head -n 2 | tr '\n' ';')"
		else
			verdict "ok 0 $suite # $(grep -c '^ *ok' "$f") passed"
		fi
	done
}

g_boot() {
	local h want

	for h in "$HP"/hugepages-*; do
		cat "$h"/{nr,free,resv,surplus,nr_overcommit}_hugepages >/dev/null ||
			check "files-${h##*/}" readable unreadable
	done
	case $GUEST_ARCH in x86_64) want=2 ;; arm64) want=4 ;; esac
	check sizes "$want" "$(ls $HP | wc -l)"
	check boot-1G-pages 2 "$(cat $HP/hugepages-1048576kB/nr_hugepages)"
	check pools-at-boot "" "$(pools_wrong)"
}

g_hugetlb() {
	nr 256; calm
	t hugepage-mmap 60 mm/hugepage-mmap
	echo 268435456 >/proc/sys/kernel/shmmax
	echo 4194304 >/proc/sys/kernel/shmall
	t hugepage-shm 60 mm/hugepage-shm
	t map_hugetlb 60 mm/map_hugetlb
	t map_hugetlb-1G 180 mm/map_hugetlb 1024 30
	if [ -d $HP/hugepages-64kB ]; then
		echo 4096 >$HP/hugepages-64kB/nr_hugepages
		t map_hugetlb-64K 60 mm/map_hugetlb 16 16
		echo 0 >$HP/hugepages-64kB/nr_hugepages
	fi
	if [ -d $HP/hugepages-32768kB ]; then
		echo 8 >$HP/hugepages-32768kB/nr_hugepages
		t map_hugetlb-32M 60 mm/map_hugetlb 256 25
		echo 0 >$HP/hugepages-32768kB/nr_hugepages
	fi
	t hugepage-mremap 60 mm/hugepage-mremap
	t hugetlb-madvise 60 mm/hugetlb-madvise
	t hugetlb_dio 60 mm/hugetlb_dio
	nr 1
	t hugetlb_fault_after_madv 400 mm/hugetlb_fault_after_madv
	t hugetlb_madv_vs_map 60 mm/hugetlb_madv_vs_map
	nr 256
	echo 18446744073692774399 >/proc/sys/kernel/shmmax
	echo 18446744073692774399 >/proc/sys/kernel/shmall
	small_sizes 8
	t thuge-gen 120 mm/thuge-gen
	small_sizes 0
	t memfd_test-hugetlbfs 120 memfd/memfd_test hugetlbfs
	t memfd_test 60 memfd/memfd_test
	nr 0
}

g_cow() {
	nr 32; calm
	small_sizes 8
	t cow 900 mm/cow
	nr 128
	t gup_longterm 600 mm/gup_longterm
	small_sizes 0
	nr 0
}

gup_matrix() {
	local huge how write share n

	for how in -u -U -a -b -L; do for write in -w -W; do
	for share in -S " "; do for n in 1 512 123; do
		mm/gup_test -H -m 256 $how $write $share -n $n || return 1
	done; done; done; done
}

g_gup() {
	nr 128
	t gup_test-ct 60 mm/gup_test -ct -F 0x1 0 19 0x1000
	export -f gup_matrix
	t gup_test-hugetlb-matrix 300 bash -c gup_matrix
	nr 0
}

g_mm() {
	nr 16
	t mremap_test 200 mm/mremap_test
	t madv_populate 60 mm/madv_populate
	t map_populate 60 mm/map_populate
	t mkdirty 60 mm/mkdirty
	t pagemap_ioctl 600 mm/pagemap_ioctl
	nr 0
}

# Needs three CPUs or it skips.
g_migration() {
	nr 32
	t migration 600 mm/migration
	nr 0
}

g_compact() {
	calm
	t compaction_test 600 mm/compaction_test
	nr 0
}

# Four free pages of each size, or thuge-gen leaves that size out.
g_gig() {
	nr 16
	echo 18446744073692774399 >/proc/sys/kernel/shmmax
	echo 18446744073692774399 >/proc/sys/kernel/shmall
	small_sizes 8
	t thuge-gen-all 200 mm/thuge-gen
	small_sizes 0
	nr 0
}

# What the command line did: hpage.expect=2048kB:8,2048kB@1:4 counts pages of a
# size, or of a size on a node; hpage.ignored=N counts refused parameters.
g_expect() {
	local e size node want got

	for e in ${EXPECT//,/ }; do
		want=${e##*:}; size=${e%%:*}; node=
		case $size in *@*) node=${size#*@}; size=${size%@*} ;; esac
		if [ -n "$node" ]; then
			got=$(cat "/sys/devices/system/node/node$node/hugepages/hugepages-$size/nr_hugepages")
		else
			got=$(cat "$HP/hugepages-$size/nr_hugepages")
		fi
		check "$e" "$want" "$got"
	done
	dmesg | grep -a HugeTLB >"$LOG"
	check refused-parameters "${IGNORED:-0}" "$(dmesg | grep -ac 'HugeTLB: .* ignored')"
	[ -z "$DEFAULT_KB" ] || check default-size "$DEFAULT_KB" "$(meminfo Hugepagesize)"
	check pools-at-boot "" "$(pools_wrong)"
}

# The same of transparent huge pages: hpage.knobs=shmem_enabled:always,... says
# which word of a file is in brackets; hpage.tmpfs=always what a mount does that
# does not say; hpage.ignored=N as above.
g_knobs() {
	local k dir=/sys/kernel/mm/transparent_hugepage

	for k in ${KNOBS//,/ }; do
		check "${k%%:*}" "${k##*:}" "$(sed 's/.*\[\(.*\)\].*/\1/' "$dir/${k%%:*}")"
	done
	mkdir -p /tmp/knobs
	mount -t tmpfs knobs /tmp/knobs
	check tmpfs "${TMPFS:-never}" \
		"$(awk '$1 == "knobs" { print match($4, /huge=[a-z_]*/) ? substr($4, RSTART + 5, RLENGTH - 5) : "never" }' /proc/mounts)"
	umount /tmp/knobs
	dmesg | grep -aE 'thp_|transparent_hugepage' >"$LOG"
	check refused-parameters "${IGNORED:-0}" \
		"$(dmesg | grep -acE '(thp_|transparent_hugepage).*(, ignored$|ignoring setting$)')"
}

# Our own tests, tools/testing/selftests/mm/hugetlb_*.c of this repository.
g_own() {
	local p

	nr 64; calm
	for p in $(echo "${OWN_TESTS:-reserve,pool,fork,file,migrate,knobs,numa,share,demote,hvo}" | tr , ' '); do
		# HVO is not for every architecture.
		[ "$p" != hvo ] || [ -e /proc/sys/vm/hugetlb_optimize_vmemmap ] || continue
		t "hugetlb_$p" 400 "mm/hugetlb_$p"
	done
	nr 0
}

# inject ROOM SECONDS PROGRAM,...: every allocation of an operation fails once.
# Where nothing can be made to fail, they skip.
inject() {
	local p

	nr 0; calm
	for p in $(echo "${OWN_TESTS:-$3}" | tr , ' '); do
		# On its way out of the kernel a restartable sequence is
		# written to; who has no memory for that is killed.
		t "$1_$p" "$2" env GLIBC_TUNABLES=glibc.pthread.rseq=0 "mm/$1_$p"
	done
	nr 0; calm
}

# hugetlb_inject_hvo wants page tables that nobody split before.
g_inject() {
	inject hugetlb 900 inject_hvo,inject,inject_vma,inject_uffd,inject_file,inject_pool
}

g_thp_inject() {
	inject thp 1200 inject,inject_verbs,inject_file
}

g_stress() {
	nr 64; calm
	t hugetlb_stress 600 mm/hugetlb_stress
	t hugetlb_stress2 600 mm/hugetlb_stress2
	nr 0
}

# khugepaged, on memory of every kind.  The test of the base as it is where it is
# right, and corrected elsewhere: scripts/corrected/ says why.
g_khugepaged() {
	nr 0; calm
	t khugepaged 600 again mm/khugepaged
	t khugepaged-s2 600 again mm/khugepaged -s 2
	t khugepaged-s4 600 again mm/khugepaged -s 4
	t khugepaged-shmem 600 again mm/khugepaged-corrected all:shmem
	t khugepaged-file-ext4 600 again mm/khugepaged-corrected all:file /mnt/ext4
	t khugepaged-file-xfs 600 again mm/khugepaged-corrected all:file /mnt/xfs
	t khugepaged-file-tmpfs 600 again mm/khugepaged-corrected all:file /tmp
	calm
}

# Folios taken apart: ours, and what the base has.
g_split() {
	nr 0; calm
	t thp_split 600 mm/thp_split
	calm
}

# Our own tests, tools/testing/selftests/mm/khugepaged_*.c of this repository.
g_collapse() {
	local fs p

	nr 0; calm
	for p in $(echo "${OWN_TESTS:-shmem,file,stress,knobs,anon,orders,after}" | tr , ' '); do
		case $p in
		file)
			for fs in ext4 xfs; do
				t khugepaged_file-$fs 300 env KHUGEPAGED_DIR=/mnt/$fs mm/khugepaged_file
			done ;;
		stress)
			t khugepaged_stress 200 env KHUGEPAGED_DIR=/mnt/ext4 mm/khugepaged_stress 30 ;;
		*)
			t khugepaged_$p 600 mm/khugepaged_$p ;;
		esac
	done
	calm
}

# Without memory at every place where some is asked for; debug kernels can do that.
g_collapse_inject() {
	nr 0; calm
	t khugepaged_inject 600 mm/khugepaged_inject
	calm
}

# Ten minutes of it, half of them where files can have large folios anyway.
g_collapse_long() {
	nr 0; calm
	t khugepaged_stress-ext4 600 env KHUGEPAGED_DIR=/mnt/ext4 mm/khugepaged_stress 300
	t khugepaged_stress-xfs 600 env KHUGEPAGED_DIR=/mnt/xfs mm/khugepaged_stress 300
	calm
}

# What else lives on huge pages that khugepaged may make or break.
g_thp() {
	nr 0; calm
	t split_huge_page_test 600 mm/split_huge_page_test-corrected /mnt/xfs
	# A quarter more than there is: what is unmapped has to be split.
	t transhuge-stress 400 mm/transhuge-stress -d 20 $(($(meminfo MemAvailable) / 820))
	truncate -s 256M /tmp/stress
	t transhuge-stress-file 200 mm/transhuge-stress -d 10 -f /tmp/stress 256
	rm /tmp/stress
	t ksm_functional_tests 400 mm/ksm_functional_tests
	case $GUEST_ARCH in x86_64) t soft-dirty 400 mm/soft-dirty ;; esac
	t thp_map 400 mm/thp_map
	t thp_anon 200 mm/thp_anon
	# Who does not ask for huge pages gets only those that are there.
	calm
	t thp_knobs 300 mm/thp_knobs
	t thp_stress-short 600 env THP_STRESS_SECONDS=5 mm/thp_stress
	nr 0
}

# Splits against all that happens to the same memory; about five minutes.
g_thp_stress() {
	nr 0; calm
	t thp_stress 900 mm/thp_stress
	calm
}

# The same for more than ten minutes, and then as many cycles as there are.
g_thp_long() {
	nr 0; calm
	t thp_stress-long 2400 env THP_STRESS_SECONDS=67 mm/thp_stress
	calm
}

# tmpfs and shared memory, by tools/testing/selftests/mm/thp_*.c of this repository.
g_tmpfs() {
	# A gigabyte on one node is what is wanted.
	nr 0; echo 0 >$HP/hugepages-1048576kB/nr_hugepages
	calm
	t thp_tmpfs 300 mm/thp_tmpfs
	t thp_tmpfs_map 300 mm/thp_tmpfs_map
	t thp_faults 300 mm/thp_faults
	calm
}

# One boot for each version of control groups: controllers do not move between
# them cleanly.
g_cgroup2() {
	export PATH=/tests/bin:$PATH
	cd /tests/mm || return
	nr 0
	t charge_reserved_hugetlb-v2 900 ./charge_reserved_hugetlb.sh -cgroup-v2
	t hugetlb_reparenting-v2 600 ./hugetlb_reparenting_test.sh -cgroup-v2
	cd /tests || return
	nr 0
}

g_cgroup1() {
	export PATH=/tests/bin:$PATH
	mkdir -p /dev/cgroup/memory
	cd /tests/mm || return
	nr 0
	t charge_reserved_hugetlb-v1 900 ./charge_reserved_hugetlb.sh
	t hugetlb_reparenting-v1 600 ./hugetlb_reparenting_test.sh
	cd /tests || return
	nr 0
}

g_memcg() {
	mount -t cgroup2 -o memory_hugetlb_accounting none /sys/fs/cgroup
	echo "+memory +hugetlb" >/sys/fs/cgroup/cgroup.subtree_control
	nr 100
	t test_hugetlb_memcg 120 cgroup/test_hugetlb_memcg
	umount /sys/fs/cgroup
	nr 0
}

g_uffd() {
	nr 128
	t uffd-unit-tests 900 mm/uffd-unit-tests
	t uffd-stress-hugetlb 300 mm/uffd-stress hugetlb 128 32
	t uffd-stress-hugetlb-private 300 mm/uffd-stress hugetlb-private 128 32
	nr 0
}

# The 2M row of hugeadm --pool-list: minimum, current, maximum.
pool_row() { hugeadm --pool-list | awk '$1 == 2097152 { print $2, $3, $4 }'; }

# What users have: the tools of libhugetlbfs, its preloaded library, malloc().
g_clients() {
	local m sizes

	sizes=$(ls $HP | wc -l)
	nr 0
	check pagesize-lists-all "$((sizes + 1))" "$(pagesize -a | wc -l)"
	t hugeadm-pool-min 60 hugeadm --pool-pages-min 2M:12
	check hugeadm-min "12 12 12" "$(pool_row)"
	t hugeadm-pool-max 60 hugeadm --pool-pages-max 2M:20
	check hugeadm-max "12 12 20" "$(pool_row)"
	check overcommit 8 "$(cat $PMD/nr_overcommit_hugepages)"
	t hugeadm-pool-grow 60 hugeadm --pool-pages-min DEFAULT:+2
	check hugeadm-grown "14 14 20" "$(pool_row)"
	t hugeadm-mounts 60 hugeadm --create-mounts --max-size 16M --max-inodes 4
	check hugeadm-list-mounts "$sizes" "$(hugeadm --list-all-mounts | grep -c ^/var/lib/hugetlbfs)"
	check mount-options 1 "$(grep -c ' hugetlbfs .*,nr_inodes=4,pagesize=2M,size=16777216' /proc/mounts)"
	t hugeadm-shmmax 60 hugeadm --set-recommended-shmmax --set-shm-group root
	check shm-group 0 "$(cat /proc/sys/vm/hugetlb_shm_group)"
	t hugectl-shm 60 hugectl --shm client shm 4
	t hugectl-heap 60 hugectl --heap client heap
	t malloc-hugetlb 60 env GLIBC_TUNABLES=glibc.malloc.hugetlb=2 client heap 4
	for m in $(awk '$3 == "hugetlbfs" { print $2 }' /proc/mounts); do umount "$m"; done
	t hugeadm-pool-none 60 hugeadm --pool-pages-max 2M:0
	check hugeadm-none "0 0 0" "$(pool_row)"
	nr 0
	echo 0 >$PMD/nr_overcommit_hugepages
}

# Memory goes bad and stays bad: the last group of a guest.
g_hwpoison() {
	nr 8
	t hugetlb-soft-offline 60 mm/hugetlb-soft-offline
	echo 1 >/proc/sys/vm/enable_soft_offline
	nr 8
	t hugetlb-read-hwpoison 60 mm/hugetlb-read-hwpoison
	nr 0
	t hugetlb_poison 300 mm/hugetlb_poison
}

# Pool cycles with struct pages given back, then those who would find the
# damage.  Linux 6.12 as released hangs or dies here.
# Pages of the memory map, wherever they came from.
memmap_pages() {
	awk '/^nr_memmap(_boot)?_pages / { n += $2 } END { print n }' /proc/vmstat
}

g_hvo() {
	local i before want=0

	[ "$(cat /proc/sys/vm/hugetlb_optimize_vmemmap 2>/dev/null)" = 1 ] && want=$((128 * 7))
	before=$(memmap_pages)
	nr 128
	# The work item waits for a grace period.
	for i in {1..30}; do
		[ $((before - $(memmap_pages))) = $want ] && break
		sleep 1
	done
	check hvo-saves-7-of-8 $want $((before - $(memmap_pages)))
	t hugepage-vmemmap 60 mm/hugepage-vmemmap
	nr 0
	for i in {1..30}; do
		[ $((before - $(memmap_pages))) = 0 ] && break
		sleep 1
	done
	check hvo-gives-all-back 0 $((before - $(memmap_pages)))
	for i in 1 2 3; do
		nr 128
		t hvo-map-$i 60 mm/map_hugetlb
		nr 0; calm
		t hvo-thp-$i 400 mm/transhuge-stress -d 5
		t hvo-ksm-$i 300 mm/ksm_tests -H -s 50 -l 280
	done
}

# The pool must come down to nothing, or something still holds a page.
g_end() {
	local h

	for h in "$HP"/hugepages-*; do
		[ "${h##*-}" = 1048576kB ] && [ "$(cat "$h/nr_hugepages")" != 0 ] &&
			! echo 0 >"$h/nr_hugepages" 2>/dev/null && continue
		echo 0 >"$h/nr_hugepages" 2>/dev/null
		check "empty-${h##*/}" 0 "$(cat "$h/nr_hugepages")"
	done
	check pools-at-end "" "$(pools_still_wrong)"
	check memory-at-end "" "$(memory_lost "$unaccounted_before")"
	# It says which counters are negative once all CPUs have told theirs.
	echo 1 >/proc/sys/vm/stat_refresh
	check negative-counters "" "$(dmesg | grep -a 'vmstat_refresh: ')"
	if [ -e /sys/kernel/debug/kmemleak ]; then
		echo scan >/sys/kernel/debug/kmemleak; sleep 6
		echo scan >/sys/kernel/debug/kmemleak
		cat /sys/kernel/debug/kmemleak >/tmp/leaks
		cat /tmp/leaks >"$LOG"
		check kmemleak 0 "$(grep -cE 'hugetlb|resv_map|region|thp_|khugepaged|deferred_split|split_huge' /tmp/leaks)"
	fi
	# Bit 18 says that KUnit ran.
	check taint 0 "$(($(cat /proc/sys/kernel/tainted) & ~262144))"
}

calm
unaccounted_before=$(unaccounted)
for g in ${GROUPS_WANTED//,/ }; do
	verdict "group $g"
	"g_$g"
done
verdict "done"
