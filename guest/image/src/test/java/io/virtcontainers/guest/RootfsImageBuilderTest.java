// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class RootfsImageBuilderTest {
    @TempDir
    private Path folder;

    private TestHost testHost;
    private Path rootfs;
    private Path cache;
    private final TestHost.RecordedPhases phases = new TestHost.RecordedPhases();

    @BeforeEach
    void makeTree() throws IOException {
        testHost = new TestHost(Files.createDirectory(folder.resolve("host")));
        cache = folder.resolve("cache");
        rootfs = Files.createDirectory(folder.resolve("rootfs"));
        Files.createDirectories(rootfs.resolve("bin"));
        Files.createDirectory(rootfs.resolve("tmp"));
        Files.write(rootfs.resolve("bin/tool"), new byte[10_000]);
        Files.createLink(rootfs.resolve("bin/tool2"), rootfs.resolve("bin/tool"));
        Files.createSymbolicLink(rootfs.resolve("bin/sh"), Path.of("tool"));
        Files.createSymbolicLink(rootfs.resolve("dangling"), Path.of("/nowhere"));
    }

    private Path image(Path cacheDirectory, Path directory, Deadline deadline) {
        return new CachedGuestImages(new ImageCache(cacheDirectory), testHost.host())
                .rootfsImage(directory, phases, deadline);
    }

    private Path image() {
        return image(cache, rootfs, Deadline.after(Duration.ofSeconds(30)));
    }

    private int packed() {
        return phases.names().size();
    }

    private List<Path> list(String name) throws IOException {
        try (Stream<Path> files = Files.list(cache.resolve(name))) {
            return files.toList();
        }
    }

    /** A stand-in for mkfs.erofs, first in PATH. */
    private void mkfs(String script) throws IOException {
        Path bin = Files.createDirectories(folder.resolve("programs"));
        Path program = Files.writeString(bin.resolve("mkfs.erofs"), "#!/bin/sh\n" + script + "\n");
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        testHost.variable("PATH", bin + ":" + System.getenv("PATH"));
    }

    private static void copy(Path from, Path to) throws IOException {
        Files.walkFileTree(from, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes)
                    throws IOException {
                Files.createDirectory(to.resolve(from.relativize(directory)));
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                if (!file.endsWith("tool2")) {
                    Files.copy(file, to.resolve(from.relativize(file)), LinkOption.NOFOLLOW_LINKS);
                }
                return FileVisitResult.CONTINUE;
            }
        });
    }

    @Test
    void packsATreeOfEverything() throws IOException, InterruptedException {
        try (ServerSocketChannel socket = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            socket.bind(UnixDomainSocketAddress.of(rootfs.resolve("socket")));
            assertThat(new ProcessBuilder("mkfifo", rootfs.resolve("fifo").toString())
                            .start()
                            .waitFor())
                    .isZero();
            Path image = image();
            assertThat(Files.size(image) % 512).isZero();
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(image)))
                    .isEqualTo("r--r--r--");
            Path extracted = folder.resolve("extracted");
            ChildProcess.Result check = ChildProcess.run(
                    List.of("fsck.erofs", "--extract=" + extracted, image.toString()),
                    Map.of(),
                    Deadline.after(Duration.ofSeconds(30)),
                    "fsck");
            assertThat(check.exitCode()).as(check.output()).isZero();
            assertThat(Files.mismatch(extracted.resolve("bin/tool"), rootfs.resolve("bin/tool")))
                    .isEqualTo(-1);
            assertThat(Files.readSymbolicLink(extracted.resolve("bin/sh"))).isEqualTo(Path.of("tool"));
            assertThat(Files.getLastModifiedTime(extracted.resolve("bin/tool")))
                    .as("files keep their times")
                    .isEqualTo(Files.getLastModifiedTime(rootfs.resolve("bin/tool")));
        }
        assertThat(phases.names()).containsExactly("rootfs.pack");
        assertThat(list("tmp")).isEmpty();
    }

    @Test
    void packsAnEmptyDirectory() throws IOException {
        Path empty = Files.createDirectory(folder.resolve("empty"));
        Path image = image(cache, empty, Deadline.after(Duration.ofSeconds(30)));
        assertThat(Files.size(image)).isPositive();
        assertThat(Files.size(image) % 512).isZero();
    }

    @Test
    void anUnchangedTreeIsNeitherReadNorPacked() throws IOException {
        Path first = image();
        mkfs("exit 1");
        assertThat(image()).isEqualTo(first);
        assertThat(packed()).isEqualTo(1);
        assertThat(list("index")).hasSize(1);
    }

    @Test
    void aCopyOfTheTreeIsNotPackedAgain() throws IOException {
        Path first = image();
        Path copy = folder.resolve("copy");
        copy(rootfs, copy);
        Files.createLink(copy.resolve("bin/tool2"), copy.resolve("bin/tool"));
        assertThat(image(cache, copy, Deadline.after(Duration.ofSeconds(30)))).isEqualTo(first);
        assertThat(packed()).isEqualTo(1);
    }

    @Test
    void isTheSameInEveryCache() throws IOException {
        Path one = image();
        Path two = image(folder.resolve("cache2"), rootfs, Deadline.after(Duration.ofSeconds(30)));
        assertThat(one.getFileName()).isEqualTo(two.getFileName());
        assertThat(Files.mismatch(one, two)).isEqualTo(-1);
    }

    @Test
    void everyKindOfChangeGivesAnotherImage() throws IOException {
        List<Path> images = new ArrayList<>(List.of(image()));
        Files.writeString(rootfs.resolve("new"), "");
        images.add(image());
        Files.setPosixFilePermissions(rootfs.resolve("new"), PosixFilePermissions.fromString("rwxr-xr-x"));
        images.add(image());
        Files.move(rootfs.resolve("new"), rootfs.resolve("new2"));
        images.add(image());
        Files.delete(rootfs.resolve("dangling"));
        Files.createSymbolicLink(rootfs.resolve("dangling"), Path.of("/elsewhere"));
        images.add(image());
        Files.delete(rootfs.resolve("bin/tool2"));
        Files.copy(rootfs.resolve("bin/tool"), rootfs.resolve("bin/tool2"));
        images.add(image());
        Files.createDirectory(rootfs.resolve("empty"));
        images.add(image());
        Files.delete(rootfs.resolve("empty"));
        Files.writeString(rootfs.resolve("empty"), "");
        images.add(image());
        assertThat(new HashSet<>(images)).hasSize(8);
    }

    @Test
    void aChangeWithTheSameSizeAndTimeIsSeen() throws IOException {
        Path first = image();
        Path file = rootfs.resolve("bin/tool");
        FileTime before = Files.getLastModifiedTime(file);
        byte[] content = Files.readAllBytes(file);
        content[5000] = 1;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(content));
        }
        Files.setLastModifiedTime(file, before);
        assertThat(image()).isNotEqualTo(first);
    }

    @Test
    void aTreeThatChangedJustNowIsReadAgain() throws IOException {
        testHost.clock(InstantSource.system());
        Path first = image();
        assertThat(list("index")).isEmpty();
        assertThat(image()).isEqualTo(first);
        assertThat(packed()).isEqualTo(1);
    }

    @Test
    void aDamagedImageIsMadeAgain() throws IOException {
        Path first = image();
        byte[] good = Files.readAllBytes(first);
        Files.setPosixFilePermissions(first, PosixFilePermissions.fromString("rw-------"));
        Files.write(first, new byte[good.length]);
        assertThat(image()).isEqualTo(first);
        assertThat(Files.readAllBytes(first)).isEqualTo(good);
        Files.delete(first);
        assertThat(image()).hasBinaryContent(good);
        assertThat(packed()).isEqualTo(3);
    }

    @Test
    void eightThreadsMakeOneImage() throws InterruptedException, ExecutionException {
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try {
            List<Future<Path>> images = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                images.add(threads.submit(() -> image()));
            }
            HashSet<Path> different = new HashSet<>();
            for (Future<Path> image : images) {
                different.add(image.get());
            }
            assertThat(different).hasSize(1);
        } finally {
            threads.shutdownNow();
        }
        assertThat(packed()).isEqualTo(1);
    }

    @Test
    void refusesWhatIsNoDirectoryOfItsOwn() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "");
        Deadline deadline = Deadline.after(Duration.ofSeconds(5));
        assertThatThrownBy(() -> image(cache, folder.resolve("absent"), deadline))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("rootfs " + folder.resolve("absent") + ": there is no such directory");
        assertThatThrownBy(() -> image(cache, file, deadline))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("not a directory");
        assertThatThrownBy(() -> image(cache, folder, deadline))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("image cache");
    }

    @Test
    void followsALinkToTheDirectory() throws IOException {
        Path link = Files.createSymbolicLink(folder.resolve("link"), rootfs);
        assertThat(image(cache, link, Deadline.after(Duration.ofSeconds(30)))).isEqualTo(image());
    }

    @Test
    void saysWhatMkfsPrintedAndLeavesNothing() throws IOException {
        mkfs("echo out; echo error >&2; touch $5; exit 3");
        assertThatThrownBy(this::image)
                .isInstanceOf(VirtException.class)
                .hasMessageContaining(rootfs.toString())
                .hasMessageContaining("exit code 3")
                .hasMessageContaining("error");
        mkfs("exit 0");
        assertThatThrownBy(this::image).hasMessageContaining("it made no image");
        mkfs("for last; do image=$previous; previous=$last; done; echo text > \"$image\"");
        assertThatThrownBy(this::image).hasMessageContaining("no EROFS image");
        mkfs("echo 'No space left on device'; exit 1");
        assertThatThrownBy(this::image).isInstanceOf(HostSetupException.class).hasMessageContaining("free some space");
        assertThat(list("tmp")).isEmpty();
        assertThat(list("rootfs")).isEmpty();
    }

    @Test
    void endsAtTheDeadlineWithoutTheProcess() throws IOException {
        Path pidFile = folder.resolve("pid");
        mkfs("echo $$ > " + pidFile + "; exec sleep 1000");
        assertThatThrownBy(() -> image(cache, rootfs, Deadline.after(Duration.ofSeconds(1))))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining(rootfs.toString());
        assertThat(ProcessHandle.of(Long.parseLong(Files.readString(pidFile).strip()))
                        .filter(ProcessHandle::isAlive))
                .isEmpty();
        assertThat(list("tmp")).isEmpty();
    }

    @Test
    void anInterruptEndsItWithoutTheProcess() throws IOException {
        Path pidFile = folder.resolve("pid");
        mkfs("echo $$ > " + pidFile + ".new; mv " + pidFile + ".new " + pidFile + "; exec sleep 1000");
        Waiter waiter = new Waiter(this::image);
        Awaitility.await().until(() -> Files.exists(pidFile));
        waiter.thread().interrupt();
        assertThat(waiter.failure()).isInstanceOf(CancelledException.class);
        assertThat(ProcessHandle.of(Long.parseLong(Files.readString(pidFile).strip()))
                        .filter(ProcessHandle::isAlive))
                .isEmpty();
        assertThat(list("tmp")).isEmpty();
    }

    @Test
    void aTreeThatKeepsChangingIsRefusedAfterASecondTry() throws IOException {
        mkfs("echo x >> " + rootfs + "/growing; exec /usr/bin/mkfs.erofs \"$@\"");
        assertThatThrownBy(this::image)
                .isInstanceOf(VirtException.class)
                .hasMessageContaining(rootfs.toString())
                .hasMessageContaining("changed while it was packed");
        assertThat(packed()).isEqualTo(2);
        assertThat(list("rootfs")).isEmpty();
    }

    @Test
    void aTreeThatChangesOnceIsPackedOnTheSecondTry() throws IOException {
        mkfs("test -e " + rootfs + "/once || touch " + rootfs + "/once; exec /usr/bin/mkfs.erofs \"$@\"");
        Path image = image();
        assertThat(packed()).isEqualTo(2);
        assertThat(list("rootfs")).contains(image).hasSize(2);
    }

    @Test
    void aFileThatVanishesIsToldApartFromOneThatCannotBeRead() throws IOException {
        Files.move(rootfs.resolve("bin"), folder.resolve("bin"), StandardCopyOption.ATOMIC_MOVE);
        assertThatThrownBy(() ->
                        RootfsTree.contentDigest(rootfs.resolve("bin"), true, Deadline.after(Duration.ofSeconds(5))))
                .isInstanceOf(TreeChangedException.class)
                .hasMessageContaining("vanished");
    }
}
