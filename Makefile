# SPDX-License-Identifier: GPL-2.0
# Every target installs what it lacks, says what it does, and can be run again
# after an interrupt.  Output goes to build/.
ARCH  ?= $(shell uname -m | sed 's/aarch64/arm64/')
DEBUG ?=
STOCK ?=
ONLY  ?=
VERIFY ?=
PROFILE ?=

flavour = $(if $(filter-out 0,$(DEBUG)),debug)
stock   = $(if $(filter-out 0,$(STOCK)),stock)
export BASE_TREE BASE_TARBALL

help:
	@echo 'hpage: the huge page subsystem of Linux, as an overlay on 6.12.y'
	@echo
	@echo '  make run      build the kernel, boot it in QEMU, walk through hugetlb'
	@echo '  make shell    the same guest, a shell in it'
	@echo '  make test     userland tests, both architectures, a debug kernel; ONLY=regex picks runs'
	@echo '  make test-full  make test and the rest: debug on arm64, stress, config matrix'
	@echo '  make bench    instructions of huge page paths, ours and stock; VERIFY=1 runs all twice'
	@echo '  make check    style and shape gates, userland tests (minutes)'
	@echo '  make tree     base + patches + our files in build/tree'
	@echo '  make kernel   one kernel; STOCK=1 builds the unpatched base'
	@echo '  make series   a git format-patch series in build/series, checked'
	@echo '  make clean    remove build/'
	@echo
	@echo '  ARCH=x86_64|arm64 DEBUG=1 BASE_TREE=dir BASE_TARBALL=file'

build:
	@mkdir -p build

run: build
	@scripts/run $(ARCH) $(flavour)

shell: build
	@scripts/kernel $(ARCH) $(flavour)
	@scripts/initramfs $(ARCH)
	@scripts/qemu $(ARCH)$(addprefix -,$(flavour)) shell-$(ARCH) shell

test: build
	@scripts/test $(if $(ONLY),only='$(ONLY)')

test-full: build
	@scripts/test full $(if $(ONLY),only='$(ONLY)')

bench: build
	@scripts/bench $(if $(filter-out 0,$(VERIFY)),verify) $(if $(ONLY),only='$(ONLY)') \
		$(if $(PROFILE),profile='$(PROFILE)')

check: build
	@scripts/check

tree: build
	@scripts/tree

kernel: build
	@scripts/kernel $(ARCH) $(flavour) $(stock)

series: build
	@scripts/series

clean:
	rm -rf build

.PHONY: help build run shell test test-full bench check tree kernel series clean
.DEFAULT_GOAL := help
