// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.virtcontainers.Accelerator;
import io.virtcontainers.AgentChannel;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.MemorySize;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.Phases;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** A kernel of this host with a small init of busybox that does what {@code test=} on the kernel's command line says. */
final class TestGuest {
    static final Phases NO_PHASES = name -> () -> {};

    private static final Path BUSYBOX = Path.of("/bin/busybox");
    private static final List<String> MODULES = List.of(
            "drivers/virtio/virtio_ring.ko",
            "drivers/virtio/virtio.ko",
            "drivers/virtio/virtio_pci_modern_dev.ko",
            "drivers/virtio/virtio_pci_legacy_dev.ko",
            "drivers/virtio/virtio_pci.ko",
            "drivers/virtio/virtio_mmio.ko",
            "drivers/char/virtio_console.ko",
            "drivers/block/virtio_blk.ko");

    /** For {@code test=report}. */
    private static final List<String> REPORT_MODULES = List.of(
            "drivers/char/hw_random/virtio-rng.ko",
            "drivers/nvdimm/libnvdimm.ko",
            "drivers/acpi/nfit/nfit.ko",
            "drivers/nvdimm/nd_btt.ko",
            "drivers/nvdimm/nd_pmem.ko",
            "drivers/misc/pvpanic/pvpanic.ko",
            "drivers/misc/pvpanic/pvpanic-mmio.ko");

    private static final String INIT = """
            #!/bin/busybox sh
            b=/bin/busybox
            $b mount -t devtmpfs none /dev
            $b mount -t proc none /proc
            $b mount -t sysfs none /sys
            for i in 0 1 2 3 4 5 6 7; do $b insmod /modules/$i.ko || echo "insmod $i failed"; done
            test=$($b sed -n 's/.*test=\\([a-z]*\\).*/\\1/p' /proc/cmdline)
            echo "GUEST READY test=$test"
            # Where no host is connected yet, the port reads as ended.
            answer() {
                for port in /dev/vport*p1; do exec 3<>$port; done
                word=
                while [ -z "$word" ]; do word=$($b head -c 5 <&3); $b usleep 10000; done
                echo -n "$word" >&3
            }
            case "$test" in
            panic)
                $b insmod /report/5.ko
                $b insmod /report/6.ko
                exit 3
                ;;
            fill)
                while [ ! -b /dev/vda ]; do $b usleep 10000; done
                while :; do $b dd if=/modules/0.ko of=/dev/vda bs=64k seek=64 conv=fsync 2>/dev/null; done
                ;;
            report)
                for module in /report/*.ko; do $b insmod $module; done
                for d in /sys/bus/pci/devices/*; do echo "PCI: $($b basename $d) $($b cat $d/vendor $d/device | $b xargs)"; done
                echo "VIRTIO:" $($b cat /sys/bus/virtio/devices/*/device)
                echo "FLAGS:" $($b grep -m1 ^flags /proc/cpuinfo)
                echo "CPUS:" $($b grep -c ^processor /proc/cpuinfo)
                echo "RNG:" $($b cat /sys/class/misc/hw_random/rng_available)
                echo "IOMMU:" $($b ls /sys/kernel/iommu_groups)
                for d in /sys/block/vd* /sys/block/pmem*; do [ -e $d ] && echo "DISK: $($b basename $d) $($b cat $d/size $d/ro | $b xargs)"; done
                echo "LINE:" $($b cat /proc/cmdline)
                echo "REPORTED"
                answer
                ;;
            poweroff) $b poweroff -f ;;
            flood) while :; do $b cat /modules/0.ko; done ;;
            echo) answer ;;
            ports) echo "PORTS:" $($b cat /sys/class/virtio-ports/*/name) ;;
            chatty) for i in 1 2 3 4; do $b cat /modules/0.ko; done; answer ;;
            esac
            before=
            while :; do
                now=
                for disk in /sys/block/vd*; do
                    [ -e "$disk" ] && now="$now $($b readlink $disk | $b sed 's#.*pci0000:00/##; s#/virtio.*/#=#')"
                done
                [ "$now" = "$before" ] || echo "DISKS:$now."
                before=$now
                $b usleep 10000
            done
            """;

    private TestGuest() {}

    static GuestImage image(Path directory) {
        Path kernel = kernel();
        String release = kernel.getFileName().toString().replaceFirst("vmlinu[xz]-", "");
        Path modules = Stream.of(kernel.resolveSibling("../lib/modules"), Path.of("/lib/modules"))
                .map(parent -> parent.resolve(release).resolve("kernel"))
                .filter(Files::isDirectory)
                .findFirst()
                .orElseThrow(() -> new AssertionError("no modules for " + kernel + ": run make setup"));
        Initrd initrd = new Initrd();
        for (String name : List.of("bin", "dev", "proc", "sys", "modules", "report")) {
            initrd.directory(name);
        }
        Path file = directory.resolve("test-initrd");
        try {
            initrd.characterDevice("dev/console", 5, 1)
                    .program("bin/busybox", BUSYBOX)
                    .program("init", INIT.getBytes(StandardCharsets.UTF_8));
            for (int i = 0; i < MODULES.size(); i++) {
                initrd.program("modules/" + i + ".ko", modules.resolve(MODULES.get(i)));
            }
            for (int i = 0; i < REPORT_MODULES.size(); i++) {
                initrd.program("report/" + i + ".ko", modules.resolve(REPORT_MODULES.get(i)));
            }
            initrd.writeTo(file);
        } catch (IOException e) {
            throw new AssertionError("cannot make the test initrd (is busybox-static installed?)", e);
        }
        return new GuestImage(kernel, file, release);
    }

    /** Fails, never skips: a suite that boots nothing proves nothing. */
    private static Path kernel() {
        Optional<String> property = Optional.ofNullable(System.getProperty("virtcontainers.test.kernel"));
        if (property.isPresent()) {
            return Path.of(property.get());
        }
        Path cache = Optional.ofNullable(System.getenv("VIRTCONTAINERS_CACHE"))
                .map(Path::of)
                .orElse(Path.of(System.getProperty("user.home"), ".cache", "virtcontainers"));
        List<Path> directories = new ArrayList<>();
        list(cache.resolve("kernel")).forEach(directory -> directories.add(directory.resolve("boot")));
        directories.add(Path.of("/boot"));
        return directories.stream()
                .flatMap(directory -> list(directory).stream())
                .filter(file -> file.getFileName().toString().startsWith("vmlinuz-"))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no guest kernel in " + directories + ": run make setup"));
    }

    private static List<Path> list(Path directory) {
        if (!Files.isDirectory(directory)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(directory)) {
            return files.sorted().toList();
        } catch (IOException e) {
            throw new AssertionError("cannot list " + directory, e);
        }
    }

    static VmConfig config(Path directory, GuestImage image, String test) {
        return config(directory, image, test, false);
    }

    static VmConfig config(Path directory, GuestImage image, String test, boolean detached) {
        return config(directory, image, test, detached, settings().build());
    }

    /** What the tests of this module run on. */
    static HypervisorConfig.Builder settings() {
        return HypervisorConfig.builder().accelerator(Accelerator.TCG).agentChannel(AgentChannel.VIRTIO_SERIAL);
    }

    static VmConfig config(Path directory, GuestImage image, String test, boolean detached, HypervisorConfig settings) {
        return new VmConfig(
                "demo",
                directory,
                1,
                MemorySize.mib(128),
                detached,
                settings,
                image,
                test.isEmpty() ? List.of() : List.of("test=" + test));
    }

    static Path socket(GuestChannel channel) {
        return ((GuestChannel.VirtioSerial) channel).socket();
    }

    /** Sends five bytes to a guest that answers them, which may be booting yet. */
    static String echo(GuestChannel agent) throws IOException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(socket(agent)));
            channel.write(ByteBuffer.wrap("hello".getBytes(StandardCharsets.UTF_8)));
            ByteBuffer answer = ByteBuffer.allocate(5);
            while (answer.hasRemaining() && channel.read(answer) >= 0) {}
            return new String(answer.array(), StandardCharsets.UTF_8);
        }
    }

    static void awaitConsole(VirtualMachine machine, String text) {
        await().atMost(Duration.ofSeconds(60))
                .pollInterval(Duration.ofMillis(10))
                .untilAsserted(
                        () -> assertThat(machine.diagnostics().consoleTail()).contains(text));
    }

    /** Of sockets, pipes and pidfds; the JVM opens its jar files whenever it likes. */
    static long openDescriptors() throws IOException {
        try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
            return files.map(TestGuest::target)
                    .filter(target -> target.matches("(socket|pipe|anon_inode):.*"))
                    .count();
        }
    }

    private static String target(Path link) {
        try {
            return Files.readSymbolicLink(link).toString();
        } catch (IOException closedMeanwhile) {
            return "";
        }
    }

    static Deadline seconds(long seconds) {
        return Deadline.after(Duration.ofSeconds(seconds));
    }

    /** Whether a process is dead: gone, or a zombie that its parent has not reaped. */
    static boolean isDead(long pid) {
        try {
            String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
            return stat.substring(stat.lastIndexOf(')')).startsWith(") Z");
        } catch (IOException e) {
            return true;
        }
    }

    static void assertDead(long pid) {
        assertThat(isDead(pid)).as("process %d is dead", pid).isTrue();
    }
}
