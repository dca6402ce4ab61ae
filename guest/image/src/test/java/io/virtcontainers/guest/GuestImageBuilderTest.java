// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.GuestRoot;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveInputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class GuestImageBuilderTest {
    @TempDir
    private Path folder;

    private TestHost testHost;
    private Path cache;
    private final TestHost.RecordedPhases phases = new TestHost.RecordedPhases();

    @BeforeEach
    void makeHost() throws IOException {
        testHost = new TestHost(Files.createDirectory(folder.resolve("host")));
        cache = folder.resolve("cache");
    }

    private GuestImage image(Path cacheDirectory, Optional<Path> kernel) {
        return new CachedGuestImages(new ImageCache(cacheDirectory), testHost.host())
                .guestImage(kernel, GuestRoot.builtIn(), phases, Deadline.after(Duration.ofSeconds(30)));
    }

    private GuestImage image() {
        return image(cache, Optional.empty());
    }

    static Map<String, byte[]> entries(Path initrd) throws IOException {
        Map<String, byte[]> entries = new LinkedHashMap<>();
        try (CpioArchiveInputStream cpio = new CpioArchiveInputStream(Files.newInputStream(initrd))) {
            for (CpioArchiveEntry entry = cpio.getNextEntry(); entry != null; entry = cpio.getNextEntry()) {
                entries.put("/" + entry.getName(), cpio.readAllBytes());
            }
        }
        return entries;
    }

    static String text(Map<String, byte[]> entries, String path) {
        return new String(entries.get(path), UTF_8);
    }

    private long filesIn(String name) throws IOException {
        try (Stream<Path> files = Files.list(cache.resolve(name))) {
            return files.count();
        }
    }

    @Test
    void makesTheKernelAndTheInitrd() throws IOException {
        GuestImage image = image();
        assertThat(image.kernelRelease()).isEqualTo(KernelBuilder.RELEASE);
        assertThat(Files.readAllBytes(image.kernel())).isEqualTo(KernelBuilder.vmlinux(300_000, 7));
        Map<String, byte[]> entries = entries(image.initrd().orElseThrow());
        assertThat(text(entries, "/init")).isEqualTo("agent");
        assertThat(entries).containsKeys("/usr/bin/crun", "/etc/passwd", "/dev/console", "/mnt");
        String drivers = "/lib/modules/" + KernelBuilder.RELEASE + "/kernel/drivers/";
        assertThat(text(entries, "/etc/virtcontainers/modules.boot").lines())
                .containsExactly(
                        drivers + "virtio.ko",
                        drivers + "virtio_ring.ko",
                        drivers + "virtio_pci.ko",
                        drivers + "virtio_console.ko");
        assertThat(text(entries, "/etc/virtcontainers/modules.later").lines())
                .containsExactly(
                        drivers + "virtio_blk.ko",
                        drivers + "libcrc32c.ko",
                        drivers + "erofs.ko",
                        drivers + "overlay.ko");
        assertThat(text(entries, "/etc/virtcontainers/modules.boot").lines()).allMatch(entries::containsKey);
        assertThat(phases.names()).containsExactly("kernel.unpack", "initrd.build");
    }

    @Test
    void hasTheModulesOfRareDevicesInListsOfTheirOwn() throws IOException {
        Map<String, byte[]> entries = entries(image().initrd().orElseThrow());
        String drivers = "/lib/modules/" + KernelBuilder.RELEASE + "/kernel/drivers/";
        assertThat(text(entries, "/etc/virtcontainers/modules.vsock").lines())
                .as("without what every guest has loaded")
                .containsExactly(drivers + "vsock.ko", drivers + "vmw_vsock_virtio_transport.ko");
        assertThat(text(entries, "/etc/virtcontainers/modules.nvdimm").lines())
                .as("in order, without virtio_pmem, which this kernel lacks")
                .containsExactly(drivers + "libnvdimm.ko", drivers + "nfit.ko", drivers + "nd_pmem.ko")
                .allMatch(entries::containsKey);
        assertThat(text(entries, "/etc/virtcontainers/modules.9p")).isEmpty();
    }

    @Test
    void isClosedToOtherUsersAndLeavesNoWorkBehind() throws IOException {
        GuestImage image = image();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(image.kernel())))
                .isEqualTo("r--r--r--");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(cache)))
                .isEqualTo("rwx------");
        assertThat(filesIn("tmp")).isZero();
    }

    @Test
    void theSecondCallMakesNothing() throws IOException {
        GuestImage first = image();
        assertThat(filesIn("index")).isEqualTo(1);
        int made = phases.names().size();
        assertThat(image()).isEqualTo(first);
        assertThat(phases.names()).hasSize(made);
    }

    @Test
    void isTheSameInEveryCache() throws IOException {
        GuestImage one = image();
        GuestImage two = image(folder.resolve("cache2"), Optional.empty());
        assertThat(Files.mismatch(one.initrd().orElseThrow(), two.initrd().orElseThrow()))
                .isEqualTo(-1);
        assertThat(Files.mismatch(one.kernel(), two.kernel())).isEqualTo(-1);
        assertThat(one.kernel().getParent().getFileName())
                .isEqualTo(two.kernel().getParent().getFileName());
    }

    @Test
    void everyInputCounts() throws IOException {
        List<GuestImage> images = new ArrayList<>(List.of(image()));
        Files.writeString(folder.resolve("host/agent"), "AGENT");
        images.add(image());
        Files.write(testHost.crun(), new ElfBuilder().extra(new byte[] {1}).build());
        images.add(image());
        testHost.module("overlay", "", "version=2");
        images.add(image());
        Files.write(
                testHost.kernel(),
                KernelBuilder.bzImage(KernelBuilder.vmlinux(300_000, 8), KernelBuilder.Packing.GZIP));
        images.add(image());
        assertThat(new HashSet<>(images)).hasSize(5);
    }

    @Test
    void anInputThatIsWrittenAgainWithTheSameContentIsNotPackedAgain() throws IOException {
        GuestImage first = image();
        Files.write(testHost.kernel(), Files.readAllBytes(testHost.kernel()));
        assertThat(image()).isEqualTo(first);
        assertThat(phases.names()).hasSize(2);
    }

    @Test
    void filesThatChangedJustNowAreNotBelievedByTheirStamp() throws IOException {
        testHost.clock(InstantSource.system());
        GuestImage first = image();
        assertThat(filesIn("index")).isZero();
        assertThat(image()).isEqualTo(first);
        assertThat(phases.names()).hasSize(2);
    }

    @Test
    void aDamagedEntryIsMadeAgain() throws IOException {
        GuestImage first = image();
        byte[] kernel = Files.readAllBytes(first.kernel());
        Files.setPosixFilePermissions(first.kernel(), PosixFilePermissions.fromString("rw-------"));
        kernel[kernel.length / 2] ^= 1;
        Files.write(first.kernel(), kernel);
        assertThat(image()).isEqualTo(first);
        assertThat(Files.readAllBytes(first.kernel())).isEqualTo(KernelBuilder.vmlinux(300_000, 7));
        Files.delete(first.initrd().orElseThrow());
        image();
        assertThat(entries(first.initrd().orElseThrow())).containsKey("/init");
        Files.writeString(first.kernel().resolveSibling("manifest"), "torn");
        image();
        assertThat(phases.names()).hasSize(8);
        assertThat(filesIn("tmp")).isZero();
    }

    @Test
    void anEntryWhoseTimesChangedIsReadAndKept() throws IOException {
        GuestImage first = image();
        Files.setLastModifiedTime(first.kernel(), FileTime.fromMillis(1000));
        assertThat(image()).isEqualTo(first);
        assertThat(phases.names()).hasSize(2);
    }

    @Test
    void aDamagedIndexIsNoHindrance() throws IOException {
        GuestImage first = image();
        try (Stream<Path> files = Files.list(cache.resolve("index"))) {
            for (Path index : files.toList()) {
                Files.writeString(index, Files.readString(index).replace("vmlinuz", "vmlinux"));
            }
        }
        assertThat(image()).isEqualTo(first);
        assertThat(phases.names()).hasSize(2);
    }

    @Test
    void removesWhatACrashedProcessLeft() throws IOException {
        for (String leftover : new String[] {"guest.123", "rootfs-00.456"}) {
            Path work = Files.createDirectories(
                    cache.resolve("tmp").resolve(leftover).resolve("image"));
            Files.writeString(work.resolve("vmlinux"), "half");
        }
        image();
        assertThat(filesIn("tmp")).isZero();
    }

    @Test
    void eightThreadsMakeOneImage() throws InterruptedException, ExecutionException, IOException {
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try {
            List<Future<GuestImage>> images = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                images.add(threads.submit(() -> image()));
            }
            HashSet<GuestImage> different = new HashSet<>();
            for (Future<GuestImage> image : images) {
                different.add(image.get());
            }
            assertThat(different).hasSize(1);
        } finally {
            threads.shutdownNow();
        }
        assertThat(phases.names()).containsExactly("kernel.unpack", "initrd.build");
        assertThat(filesIn("tmp")).isZero();
    }

    @Test
    void aLockThatAnotherHoldsEndsAtTheDeadline() throws IOException {
        ImageCache other = new ImageCache(cache);
        other.prepare();
        try (CacheLock held = other.lock("guest", Deadline.after(Duration.ofSeconds(5)))) {
            Waiter waiter = new Waiter(() -> new CachedGuestImages(new ImageCache(cache), testHost.host())
                    .guestImage(Optional.empty(), GuestRoot.builtIn(), phases, Deadline.after(Duration.ofMillis(50))));
            assertThat(waiter.failure())
                    .isInstanceOf(DeadlineExceededException.class)
                    .hasMessageContaining("locks/guest");
        }
        assertThat(image()).isNotNull();
    }

    @Test
    void saysWhatIsWrongWithTheKernel() throws IOException {
        Path noKernel = Files.writeString(folder.resolve("text"), "hello");
        assertThatThrownBy(() -> image(cache, Optional.of(noKernel)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("kernel " + noKernel + ": neither a bzImage nor an ELF vmlinux");
        byte[] cut = Files.readAllBytes(testHost.kernel());
        Path short1 = Files.write(folder.resolve("host/boot/short"), Arrays.copyOf(cut, cut.length / 2));
        assertThatThrownBy(() -> image(cache, Optional.of(short1)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("truncated");
        Path noModules = Files.write(
                folder.resolve("far"),
                KernelBuilder.bzImage(KernelBuilder.pack(new byte[99], KernelBuilder.Packing.GZIP), "1.2"));
        assertThatThrownBy(() -> image(cache, Optional.of(noModules)))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("lib/modules/1.2");
        assertThat(filesIn("tmp")).isZero();
        assertThat(filesIn("guest")).isZero();
    }

    @Test
    void saysWhatTheHostLacks() throws IOException {
        Host host = testHost.host();
        Host noAgent = new Host(
                host.environment(),
                host.bootDirectory(),
                host.moduleRoots(),
                "riscv64",
                Optional.empty(),
                host.root(),
                host.clock());
        assertThatThrownBy(() -> new CachedGuestImages(new ImageCache(cache), noAgent)
                        .guestImage(
                                Optional.empty(), GuestRoot.builtIn(), phases, Deadline.after(Duration.ofSeconds(5))))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("no guest agent for the architecture riscv64");
        testHost.variable("VIRTCONTAINERS_CRUN", "/nowhere/crun");
        assertThatThrownBy(this::image)
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("VIRTCONTAINERS_CRUN /nowhere/crun");
    }

    @Test
    void refusesACacheOfSomebodyElse() throws IOException {
        // Only root can give files away; for others this is a folder that is somebody else's anyway.
        Path foreign = Files.createDirectories(cache.resolve("guest"));
        if (testHost.host().root()) {
            Files.setAttribute(foreign, "unix:uid", 65534);
        } else {
            Files.delete(foreign);
            Files.createSymbolicLink(foreign, Path.of("/usr"));
        }
        assertThatThrownBy(this::image)
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining(foreign.toString())
                .hasMessageContaining("belongs to user");
    }

    @Test
    void saysWhenTheCacheCannotBeMade() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "");
        assertThatThrownBy(() -> image(file.resolve("cache"), Optional.empty()))
                .isInstanceOf(VirtException.class)
                .hasMessageContaining(file.toString());
    }
}
