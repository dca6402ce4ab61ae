# Two commands for a newcomer: `make demo` and `make test`. Each sets up what it needs first; both are safe to repeat.
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -eu -o pipefail -c

# Where no locale is set, Java cannot name files that are not ASCII.
export LC_ALL ?= C.UTF-8

MVN := ./mvnw -B -ntp
CACHE := $(or $(VIRTCONTAINERS_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/virtcontainers)

PREFIX ?= /usr/local

.PHONY: help demo test lab-test client-test setup build bench install uninstall deb deb-test format clean

help:
	@echo "make demo    boot a VM and run a container in it"
	@echo "make test    all tests: unit tests, and tests that boot VMs"
	@echo "make lab-test  KVM and vsock, in an emulated machine that has both"
	@echo "make client-test  podman and containerd on bin/kata-runtime, as root"
	@echo "make bench   the benchmarks; prints ratios"
	@echo "make setup   what the others need: packages, guest kernel, guest agent (each does this by itself)"
	@echo "make build   the jars, bin/vrun and bin/kata-runtime, without tests"
	@echo "make install PREFIX=$(PREFIX)  kata-runtime, after make build; make uninstall removes it"
	@echo "make deb     kata-runtime as a Debian package; make deb-test installs and runs it in a clean Debian"
	@echo "make format  format all sources"
	@echo "make clean   remove what was built here (the cache in $(CACHE) stays)"

demo: build
	@scripts/busybox-rootfs examples/target/busybox
	exec bin/example Hello examples/target/busybox

test: setup
	@scripts/debian-rootfs "$(CACHE)/test/debian"
	@scripts/kernel linux-image-amd64 "$(CACHE)/test/kernel"
	echo "==> guest agent: cargo test"
	scripts/cargo test
	echo "==> Java: all modules, unit and VM tests"
	$(MVN) install
	if grep -l '<skipped' */target/surefire-reports/*.xml guest/image/target/surefire-reports/*.xml; then
		echo "these reports have skipped tests: a skipped test is a failed test" >&2
		exit 1
	fi

lab-test: build
	@exec scripts/lab-test

client-test: build
	@exec scripts/client-test

bench: build
	@scripts/kernel linux-image-amd64 "$(CACHE)/test/kernel"
	exec bin/bench

setup:
	@exec scripts/setup

build: setup
	@echo "==> Java: all modules (1 to 2 minutes the first time, as Maven downloads what it needs)"
	$(MVN) -q install -DskipTests
	scripts/kata-runtime-archive

# What is built, is not built again: so root can install what somebody else has built.
install:
	@scripts/kata-runtime-install "$(PREFIX)" "$(DESTDIR)"

uninstall:
	rm -rf "$(DESTDIR)$(PREFIX)/lib/kata-runtime"
	rm -f "$(DESTDIR)$(PREFIX)/bin/kata-runtime" "$(DESTDIR)$(PREFIX)/share/defaults/kata-containers/configuration.toml"

deb: build
	@scripts/kata-runtime-deb

deb-test: deb
	@exec scripts/kata-runtime-deb-test

format:
	$(MVN) -q spotless:apply
	cd guest/agent && cargo fmt

clean:
	$(MVN) -q clean
	rm -rf guest/agent/target
