#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A walk through huge pages, each step as a user would type it, with the answer of
# the kernel and the answer that was due.  Output goes to the log port.
. /tests/lib.sh
exec </dev/null
bad=0
out() { printf '%s\n' "$*" >"$LOG"; }

# step TEXT
step() { out ""; out "--- $*"; }

# run COMMAND-LINE: show it, run it, show what it says
run() {
	out "\$ $1"
	bash -c "$1" >/tmp/out 2>&1
	rc=$?
	[ -s /tmp/out ] && sed 's/^/  /' /tmp/out >"$LOG"
	return $rc
}

# due WHAT EXPECTED ACTUAL
due() {
	if [ "$2" = "$3" ]; then
		out "  ok: $1 = $3"
		verdict "ok 0 $1 # $3"
	else
		out "  WRONG: $1 is '$3', should be '$2'"
		verdict "not ok 0 $1 # expected '$2', got '$3'"
		bad=$((bad + 1))
	fi
}

# faults MB KB: did the last program take one page fault for each folio of this
# size, or a few more for itself?
faults() {
	local want=$(($1 * 1024 / $2)) n

	n=$(sed -n 's/.*written: \([0-9]*\) page faults.*/\1/p' /tmp/out)
	if [ "${n:-0}" -ge $want ] && [ "$n" -le $((want + 40)) ]; then n="$want or a few more"; fi
	due "page faults" "$want or a few more" "$n"
}

# show FIELD...: lines of /proc/meminfo
counters='grep -E "HugePages_(Total|Free|Rsvd|Surp)" /proc/meminfo'

step "the pool that hugepages= asked for on the command line"
run 'cat /proc/cmdline | tr " " "\n" | grep -i huge'
run 'head -n 3 /sys/kernel/mm/hugepages/*/nr_hugepages'
due "1G pages at boot" 2 "$(cat $HP/hugepages-1048576kB/nr_hugepages)"
due "2M pages at boot" 64 "$(meminfo HugePages_Total)"
run 'grep -i huge /proc/meminfo'
due "Hugepagesize" 2048 "$(meminfo Hugepagesize)"

step "grow and shrink: sysfs, sysctl, one node"
run 'echo 128 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages'
due "after sysfs" 128 "$(meminfo HugePages_Total)"
run 'sysctl -w vm.nr_hugepages=32'
due "after sysctl" 32 "$(meminfo HugePages_Total)"
N=/sys/devices/system/node/node1/hugepages/hugepages-2048kB
run "echo 40 > $N/nr_hugepages; cat $N/nr_hugepages"
due "pages on node 1" 40 "$(cat $N/nr_hugepages)"
run "cat /sys/devices/system/node/node*/hugepages/hugepages-2048kB/nr_hugepages"
due "sum of the nodes" "$(meminfo HugePages_Total)" \
	"$(cat /sys/devices/system/node/node*/hugepages/hugepages-2048kB/nr_hugepages | awk '{ s += $1 } END { print s }')"
run 'echo -5 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages'
due "a negative number is refused, status" 1 $?
run 'echo 16 > /proc/sys/vm/nr_hugepages'
due "pool of 16" 16 "$(meminfo HugePages_Total)"

step "mmap(MAP_HUGETLB): promised at mmap, taken at the first touch"
run 'mm/hugetlb_show map 4'
due "map 4" 0 $?
due "all back" "16 16 0 0" "$(echo $(meminfo HugePages_Total) $(meminfo HugePages_Free) $(meminfo HugePages_Rsvd) $(meminfo HugePages_Surp))"

step "fork: the child's write copies, the parent keeps its page"
run 'mm/hugetlb_show cow 2'
due "copy on write" 0 $?

step "a hugetlbfs mount with size= and min_size="
run 'mount -t hugetlbfs -o pagesize=2M,size=16M,min_size=4M none /mnt/huge; df -h /mnt/huge'
due "min_size=4M promises 2 pages" 2 "$(meminfo HugePages_Rsvd)"
run 'mm/hugetlb_show file /mnt/huge/a 3'
due "a file of 3 pages" 0 $?
due "it holds 3 pages" 13 "$(meminfo HugePages_Free)"
run 'mm/hugetlb_show file /mnt/huge/b 6'
due "size=16M refuses 6 more, status" 1 $?
run 'rm /mnt/huge/a /mnt/huge/b; umount /mnt/huge'
due "after umount" "16 0" "$(echo $(meminfo HugePages_Free) $(meminfo HugePages_Rsvd))"

step "shmget(SHM_HUGETLB)"
run 'mm/hugetlb_show shm 4'
due "SysV shared memory" 0 $?

step "memfd_create(MFD_HUGETLB)"
run 'mm/hugetlb_show memfd 4'
due "memfd" 0 $?

step "more than the pool has"
run 'mm/hugetlb_show map 17'
due "mmap of 17 pages is refused, status" 1 $?
run 'echo 4 > /proc/sys/vm/nr_overcommit_hugepages; mm/hugetlb_show map 17'
due "with overcommit it is not" 0 $?
run 'echo 0 > /proc/sys/vm/nr_overcommit_hugepages'

step "1G pages"
run 'mm/hugetlb_show map1g 1'
due "one page of 1G" 0 $?

THP=/sys/kernel/mm/transparent_hugepage
# A gigabyte, or less in a small guest.
mb=1024
while [ $((mb * 2048)) -gt "$(meminfo MemAvailable)" ]; do mb=$((mb / 2)); done

step "THP: anonymous memory in pages of 4K, then in folios of 64K"
run "mm/thp_show anon $((mb / 4))"
faults $((mb / 4)) 4
run "echo always > $THP/hugepages-64kB/enabled; mm/thp_show anon $mb"
faults $mb 64
run "cat $THP/hugepages-64kB/enabled; echo never > $THP/hugepages-64kB/enabled"

step "shared memory of a memfd in folios of 64K"
run "mm/thp_show memfd $((mb / 4))"
faults $((mb / 4)) 4
run "echo always > $THP/hugepages-64kB/shmem_enabled; mm/thp_show memfd $mb"
faults $mb 64
run "echo never > $THP/hugepages-64kB/shmem_enabled"

step "POSIX shared memory: the tmpfs it lives in is told to use 2M"
run "mm/thp_show /shared $((mb / 4))"
faults $((mb / 4)) 4
run "echo 1 > /proc/sys/vm/compact_memory; mount -o remount,huge=always /dev/shm; mm/thp_show /shared $mb"
faults $mb 2048
run "mount -o remount,huge=never /dev/shm; grep /dev/shm /proc/mounts"

step "prctl(PR_THP_DISABLE_EXCEPT_ADVISED): only memory that asks for it"
run "echo always > $THP/hugepages-2048kB/enabled; mm/thp_show anon 64"
faults 64 2048
run "mm/thp_show -d anon 64"
faults 64 4
run "mm/thp_show -d -a anon 64"
faults 64 2048
run "echo sometimes > $THP/hugepages-2048kB/enabled"
due "a word that is none is refused, status" 1 $?
run "echo inherit > $THP/hugepages-2048kB/enabled; cat $THP/hugepages-2048kB/stats/{anon_fault_alloc,nr_anon}"
due "folios of 2M left" 0 "$(cat $THP/hugepages-2048kB/stats/nr_anon)"

step "khugepaged: small pages become folios of 64K, then of 2M"
run 'mm/khugepaged_show 8 64 2048'
due "8M in small pages, in 64K and in 2M, data kept" 0 $?

step "everything back"
run "$counters"
due "2M pages: total free reserved surplus" "16 16 0 0" \
	"$(echo $(meminfo HugePages_Total) $(meminfo HugePages_Free) $(meminfo HugePages_Rsvd) $(meminfo HugePages_Surp))"
run 'echo 0 > /proc/sys/vm/nr_hugepages'
due "an empty pool" 0 "$(meminfo HugePages_Total)"
due "pools" "" "$(pools_wrong)"
out ""
if [ $bad = 0 ]; then out "All answers were as they should be."; else out "$bad answers were WRONG."; fi
verdict "done"
