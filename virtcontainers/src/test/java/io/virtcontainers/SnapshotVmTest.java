// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.output;
import static io.virtcontainers.VmFixture.shell;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Sandboxes that go on where another one was saved. */
@Tag("vm")
@Timeout(180)
class SnapshotVmTest {
    @TempDir
    Path directory;

    private VmFixture fixture;

    @BeforeEach
    void open() throws IOException {
        fixture = new VmFixture(directory);
    }

    @AfterEach
    void close() throws IOException {
        fixture.close();
    }

    private List<Path> snapshots() throws IOException {
        Path all = fixture.state.resolve("snapshots");
        if (!Files.isDirectory(all)) {
            return List.of();
        }
        try (Stream<Path> entries = Files.list(all)) {
            return entries.toList();
        }
    }

    /** A sandbox with a container that counts in its memory, and has warmed up a file. */
    private Sandbox prepared(String id) throws IOException {
        Sandbox sandbox = fixture.sandbox(id);
        Container container = fixture.container(
                sandbox, "counter", "sh", "-c", "i=0; while read line; do i=$((i+1)); echo $line $i; done");
        container.start();
        assertThat(shell(container, "echo warm > /tmp/prepared; cat /tmp/prepared"))
                .isEqualTo("warm");
        say(container, "one", "one 1");
        return sandbox;
    }

    /** Says a line to the counter, and sees what it answers. */
    private static void say(Container container, String line, String answer) throws IOException {
        GuestProcess process = container.process();
        process.stdin().write((line + "\n").getBytes(java.nio.charset.StandardCharsets.UTF_8));
        process.stdin().flush();
        byte[] bytes = process.stdout().readNBytes(answer.length() + 1);
        assertThat(new String(bytes, java.nio.charset.StandardCharsets.UTF_8)).isEqualTo(answer + "\n");
    }

    @Test
    void clonesGoOnWhereTheSandboxWasSavedAndShareNothing() throws Exception {
        Sandbox source = prepared("source");
        Snapshot snapshot = source.snapshot();
        assertThat(snapshot.containers()).containsExactly("counter");
        assertThat(snapshot.size().bytes()).isBetween(10L << 20, 256L << 20);
        List<String> random = new ArrayList<>();
        List<Sandbox> clones = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Sandbox clone = fixture.vc.restore(snapshot, "clone" + i);
            clones.add(clone);
            assertThat(clone.state()).isEqualTo(State.RUNNING);
            Container container = clone.container("counter");
            assertThat(container.state()).isEqualTo(State.RUNNING);
            assertThat(shell(container, "cat /tmp/prepared")).isEqualTo("warm");
            assertThat(shell(container, "hostname")).isEqualTo("clone" + i);
            assertThat(Long.parseLong(shell(container, "date +%s")))
                    .isCloseTo(Instant.now().getEpochSecond(), Offset.offset(5L));
            random.add(shell(container, "head -c 32 /dev/urandom | od -A n -t x1 | tr -d ' \n'"));
            random.add(shell(container, "cat /proc/sys/kernel/random/uuid"));
        }
        random.add(shell(source.container("counter"), "cat /proc/sys/kernel/random/uuid"));
        assertThat(new HashSet<>(random)).hasSize(7);
        say(source.container("counter"), "source", "source 2");
        for (int i = 0; i < clones.size(); i++) {
            say(clones.get(i).container("counter"), "clone-" + i, "clone-" + i + " 2");
        }
        assertThat(shell(source.container("counter"), "hostname")).isEqualTo("source");
        snapshot.close();
        assertThat(snapshots()).isEmpty();
        say(clones.get(0).container("counter"), "after", "after 3");
        assertThatThrownBy(() -> fixture.vc.restore(snapshot, "late"))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("is closed");
        for (Sandbox clone : clones) {
            clone.close();
        }
        source.close();
        assertThat(VmFixture.processesWith(fixture.state.toString())).isEmpty();
    }

    @Test
    void eachCloneIsAnotherMachine() throws Exception {
        Path etc = Files.createDirectories(fixture.rootfs.resolve("etc"));
        Path machineId = Files.writeString(etc.resolve("machine-id"), "0123456789abcdef0123456789abcdef\n");
        try {
            Sandbox source = prepared("source");
            HashSet<String> boots = new HashSet<>();
            HashSet<String> machines = new HashSet<>();
            try (Snapshot snapshot = source.snapshot()) {
                List<Sandbox> all = new ArrayList<>(List.of(source));
                for (int i = 0; i < 2; i++) {
                    all.add(fixture.vc.restore(snapshot, "clone" + i));
                }
                for (Sandbox sandbox : all) {
                    Container container = sandbox.container("counter");
                    boots.add(shell(container, "cat /proc/sys/kernel/random/boot_id"));
                    machines.add(shell(container, "cat /etc/machine-id"));
                    assertThat(shell(container, "echo x 2>/dev/null > /etc/machine-id || echo read-only"))
                            .isEqualTo("read-only");
                }
            }
            assertThat(boots).hasSize(3).allMatch(id -> id.matches("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"));
            assertThat(machines).hasSize(3).allMatch(id -> id.matches("[0-9a-f]{32}"));
            assertThat(machines).doesNotContain("0123456789abcdef0123456789abcdef");
        } finally {
            Files.delete(machineId);
        }
    }

    @Test
    void everyContainerIsAsItWasAndCanBeUsedOn() throws Exception {
        Path shared = Files.createDirectory(directory.resolve("files"));
        Files.writeString(shared.resolve("note"), "from the host");
        Sandbox source = prepared("source");
        Container ended = fixture.container(source, "ended", "sh", "-c", "exit 7");
        ended.start();
        assertThat(ended.process().waitFor(VmFixture.SOON).code()).isEqualTo(7);
        Container bound = source.createContainer(ContainerConfig.builder("bound")
                .rootfs(RootFs.directory(fixture.rootfs))
                .command("sleep", "100000")
                .mounts(new Mount.Bind(shared, GuestPath.of("/mnt"), true))
                .build());
        bound.start();
        fixture.container(source, "paused", "sleep", "100000").start();
        source.container("paused").pause();
        Container ready = fixture.container(source, "ready", "echo", "said late");
        assertThat(ready.state()).isEqualTo(State.READY);
        try (Snapshot snapshot = source.snapshot()) {
            source.close();
            try (Sandbox clone = fixture.vc.restore(snapshot, "clone")) {
                assertThat(clone.containers().stream().map(Container::id))
                        .containsExactly("counter", "ended", "bound", "paused", "ready");
                assertThat(clone.container("ended")
                                .status()
                                .exit()
                                .orElseThrow()
                                .code())
                        .isEqualTo(7);
                assertThat(clone.container("paused").state()).isEqualTo(State.PAUSED);
                clone.container("paused").resume();
                assertThat(shell(clone.container("paused"), "echo on")).isEqualTo("on");
                assertThat(shell(clone.container("bound"), "cat /mnt/note")).isEqualTo("from the host");
                assertThat(output(clone.container("ready"))).isEqualTo("said late\n");
                clone.container("bound").delete(); // unplugs two disks
                clone.container("ended").delete();
                assertThat(output(fixture.container(clone, "new", "echo", "new")))
                        .isEqualTo("new\n");
                clone.container("counter").kill(Signal.KILL);
                assertThat(clone.container("counter")
                                .process()
                                .waitFor(VmFixture.SOON)
                                .code())
                        .isEqualTo(137);
                clone.stop();
                clone.start();
                assertThat(clone.container("ready").state()).isEqualTo(State.STOPPED);
                assertThat(output(clone.container("ready"))).isEqualTo("said late\n");
            }
        }
    }

    @Test
    void aCloneAndASandboxOfATemplateCanBeSavedToo() throws Exception {
        Sandbox first = fixture.vc.run(SandboxConfig.builder("first")
                .memory(MemorySize.mib(256))
                .template(true)
                .build());
        Container container = fixture.container(first, "c", "sleep", "100000");
        container.start();
        shell(container, "echo 1 > /tmp/generation");
        try (Snapshot one = first.snapshot();
                Sandbox second = fixture.vc.restore(one, "second")) {
            shell(second.container("c"), "echo 2 >> /tmp/generation");
            try (Snapshot two = second.snapshot();
                    Sandbox third = fixture.vc.restore(two, "third")) {
                assertThat(shell(third.container("c"), "cat /tmp/generation; hostname"))
                        .isEqualTo("1\n2\nthird");
                assertThat(shell(second.container("c"), "hostname")).isEqualTo("second");
            }
        }
    }

    @Test
    void hooksSeeTheSandboxAndEachCloneAndCanRefuse() throws Exception {
        Sandbox source = prepared("source");
        List<String> seen = new ArrayList<>();
        SnapshotConfig config = SnapshotConfig.defaults()
                .beforeSnapshot(sandbox -> {
                    seen.add("before " + sandbox.id());
                    shell(sandbox.container("counter"), "rm /tmp/prepared");
                })
                .afterRestore(clone -> {
                    seen.add("after " + clone.id());
                    shell(clone.container("counter"), "hostname > /etc/machine-id");
                    if (clone.id().equals("bad")) {
                        throw new IOException("no");
                    }
                });
        try (Snapshot snapshot = source.snapshot(config);
                Sandbox clone = fixture.vc.restore(snapshot, "good")) {
            assertThat(shell(clone.container("counter"), "cat /etc/machine-id; ls /tmp"))
                    .isEqualTo("good");
            assertThatThrownBy(() -> fixture.vc.restore(snapshot, "bad"))
                    .isInstanceOf(VirtException.class)
                    .hasMessageContaining("afterRestore")
                    .hasMessageContaining("no");
            assertThat(fixture.vc.sandboxes()).extracting(Sandbox::id).containsExactly("source", "good");
            assertThat(seen).containsExactly("before source", "after good", "after bad");
        }
        assertThatThrownBy(() -> source.snapshot(SnapshotConfig.defaults().beforeSnapshot(sandbox -> {
                    throw new IllegalStateException("not now");
                })))
                .isInstanceOf(VirtException.class)
                .hasMessageContaining("not now");
        assertThat(snapshots()).isEmpty();
        say(source.container("counter"), "still", "still 2");
    }

    @Test
    void whatCannotBeSavedIsRefusedBeforeAnythingIsDone() throws Exception {
        SnapshotConfig never = SnapshotConfig.defaults().beforeSnapshot(sandbox -> {
            throw new AssertionError("the hook was run");
        });
        try (Sandbox network = fixture.vc.run(SandboxConfig.builder("network")
                .memory(MemorySize.mib(256))
                .network(NetworkConfig.user())
                .build())) {
            assertThatThrownBy(() -> network.snapshot(never))
                    .isInstanceOf(UnsupportedException.class)
                    .hasMessageContaining("it has a network");
        }
        Sandbox sandbox = fixture.sandbox("plain");
        Path disk = Files.write(directory.resolve("disk"), new byte[1 << 20]);
        sandbox.addDevice(new Device.Block("disk", disk, false));
        assertThatThrownBy(() -> sandbox.snapshot(never))
                .isInstanceOf(UnsupportedException.class)
                .hasMessageContaining("a disk that can be written");
        sandbox.removeDevice("disk");
        sandbox.pause();
        assertThatThrownBy(() -> sandbox.snapshot(never)).isInstanceOf(IllegalTransitionException.class);
        sandbox.resume();
        try (Sandbox grown = fixture.vc.run(SandboxConfig.builder("grown")
                .memory(MemorySize.mib(256))
                .hypervisor(HypervisorConfig.builder()
                        .memory(GuestMemoryConfig.builder()
                                .max(MemorySize.mib(512))
                                .build())
                        .build())
                .build())) {
            grown.resize(1, MemorySize.mib(384));
            assertThatThrownBy(() -> grown.snapshot(never))
                    .isInstanceOf(UnsupportedException.class)
                    .hasMessageContaining("it has grown since it was started");
        }
        assertThat(snapshots()).isEmpty();
        try (Snapshot snapshot = sandbox.snapshot(); // nothing was broken
                VirtContainers other =
                        VirtContainers.builder().stateDirectory(fixture.state).open()) {
            assertThatThrownBy(() -> other.restore(snapshot, "elsewhere"))
                    .isInstanceOf(InvalidConfigException.class)
                    .hasMessageContaining("of another VirtContainers");
        }
    }

    @Test
    void aDamagedOneIsRefusedWithTheReason() throws Exception {
        Sandbox source = prepared("source");
        for (Map.Entry<String, String> damage : Map.of(
                        "state", "its state is not what was written",
                        "memory", "its memory was touched",
                        "manifest", "the manifest is not what was written")
                .entrySet()) {
            try (Snapshot snapshot = source.snapshot()) {
                VmFixture.flipBit(snapshots().get(0).resolve(damage.getKey()));
                assertThatThrownBy(() -> fixture.vc.restore(snapshot, "clone"))
                        .isInstanceOf(HypervisorException.class)
                        .hasMessageContaining(damage.getValue());
                assertThat(fixture.vc.sandboxes()).hasSize(1);
            }
        }
    }

    @Test
    void aDetachedOneGivesDetachedClones() throws Exception {
        Sandbox source = fixture.vc.run(SandboxConfig.builder("far")
                .memory(MemorySize.mib(256))
                .detached(true)
                .build());
        try {
            Container container = fixture.container(source, "c", "sleep", "100000");
            container.start();
            try (Snapshot snapshot = source.snapshot()) {
                fixture.vc.restore(snapshot, "far-clone").close();
            }
            Sandbox fetched = fixture.vc.sandbox("far-clone");
            assertThat(shell(fetched.container("c"), "hostname")).isEqualTo("far-clone");
            assertThat(shell(container, "hostname")).isEqualTo("far");
        } finally {
            fixture.vc.cleanup("far");
            fixture.vc.cleanup("far-clone");
        }
        assertThat(VmFixture.processesWith(fixture.state.toString())).isEmpty();
    }

    @Test
    void aPoolRestoresAhead() throws Exception {
        Sandbox source = prepared("source");
        try (Snapshot snapshot = source.snapshot();
                SandboxPool pool = fixture.vc.pool(snapshot, "leased", 1, 2);
                Sandbox first = pool.lease(VmFixture.SOON);
                Sandbox second = pool.lease(VmFixture.SOON)) {
            say(first.container("counter"), "first", "first 2");
            say(second.container("counter"), "second", "second 2");
            assertThat(first.id()).isNotEqualTo(second.id());
        }
    }

    @Test
    void aProcessKilledWithSnapshotAndClonesLeavesNothing() throws Exception {
        Process other = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        SaveAndRestore.class.getName(),
                        fixture.state.toString(),
                        fixture.rootfs.toString())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        // One clone lives, the next is being made, and another snapshot is being written.
        String clone = fixture.state + "/sandboxes/next";
        String snapshot = fixture.state + "/snapshots/";
        while (VmFixture.processesWith(clone).isEmpty()
                || VmFixture.processesWith(snapshot).isEmpty()) {
            assertThat(other.isAlive()).isTrue();
            Thread.onSpinWait(); // bounded by the test's timeout
        }
        other.destroyForcibly().waitFor();
        Instant killed = Instant.now();
        while (!VmFixture.processesWith(fixture.state.toString()).isEmpty()) {
            assertThat(Duration.between(killed, Instant.now())).isLessThan(Duration.ofSeconds(2));
            Thread.onSpinWait();
        }
        try (VirtContainers next =
                VirtContainers.builder().stateDirectory(fixture.state).open()) {
            assertThat(next.list()).isEmpty();
            assertThat(snapshots()).isEmpty();
            assertThat(fixture.sandboxFiles()).isEmpty();
        }
    }

    /** Another Java process, which saves and restores without an end. */
    static final class SaveAndRestore {
        public static void main(String[] arguments) {
            VirtContainers vc = VirtContainers.builder()
                    .stateDirectory(Path.of(arguments[0]))
                    .open();
            Sandbox source = vc.run(
                    SandboxConfig.builder("other").memory(MemorySize.mib(256)).build());
            Container container = source.createContainer(ContainerConfig.builder("c")
                    .rootfs(RootFs.directory(Path.of(arguments[1])))
                    .command("sleep", "100000")
                    .build());
            container.start();
            Snapshot first = source.snapshot();
            Sandbox unused = vc.restore(first, "kept");
            Thread cloning = new Thread(() -> {
                for (int i = 0; ; i++) {
                    vc.restore(first, "next" + i).close();
                }
            });
            cloning.start();
            while (true) {
                source.snapshot().close();
            }
        }
    }
}
