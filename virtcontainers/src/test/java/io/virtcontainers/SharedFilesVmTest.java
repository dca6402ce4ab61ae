// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.output;
import static io.virtcontainers.VmFixture.processesWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What containers see of the host's files, live by virtio-fs. */
@Tag("vm")
@Timeout(120)
class SharedFilesVmTest {
    @TempDir
    Path directory;

    private VmFixture fixture;
    private Sandbox sandbox;
    private Path data;

    @BeforeEach
    void open() throws IOException {
        fixture = new VmFixture(directory);
        sandbox = run();
        data = Files.createDirectories(directory.resolve("data"));
        Files.writeString(Files.createDirectory(data.resolve("sub")).resolve("file"), "of the host\n");
    }

    private Sandbox run() {
        return fixture.vc.run(SandboxConfig.builder("live")
                .memory(MemorySize.mib(256))
                .hypervisor(
                        HypervisorConfig.builder().sharedFs(SharedFs.VIRTIO_FS).build())
                .build());
    }

    /** The mounts of this test; other programs mount and unmount what they like meanwhile. */
    private List<String> mounts() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/mountinfo")).stream()
                .filter(line -> line.contains(directory.toString()) || line.contains(fixture.state.toString()))
                .toList();
    }

    /** Whatever the test did, nothing of it is left on the host. */
    @AfterEach
    void nothingIsLeft() throws IOException {
        String vm = fixture.state.toString();
        fixture.close();
        assertThat(processesWith(vm)).isEmpty();
        assertThat(mounts()).isEmpty();
        String lock = (vm + "/sandboxes/live/vm/share.sock").replace('/', '.') + ".pid";
        assertThat(Path.of("/run/virtiofsd", lock)).doesNotExist();
    }

    private Container container(String id, Mount... mounts) {
        Container container = sandbox.createContainer(ContainerConfig.builder(id)
                .rootfs(RootFs.directory(fixture.rootfs))
                .command("sleep", "100000")
                .mounts(mounts)
                .build());
        container.start();
        return container;
    }

    private static String shell(Container container, String script) throws IOException {
        GuestProcess process = container.exec(ProcessConfig.of("sh", "-c", "{ " + script + "; } 2>&1"));
        process.stdin().close();
        return output(process).strip();
    }

    @Test
    void bothSidesSeeWhatTheOtherWrites() throws IOException {
        Path file = Files.writeString(directory.resolve("hosts"), "10.0.0.1 one\n");
        Container container = container(
                "c",
                new Mount.Shared(data, GuestPath.of("/data"), false),
                new Mount.Shared(file, GuestPath.of("/etc/hosts"), false));
        assertThat(shell(
                        container,
                        "cat /data/sub/file /etc/hosts; echo of the guest > /data/new; echo two >> /etc/hosts"))
                .isEqualTo("of the host\n10.0.0.1 one");
        assertThat(data.resolve("new")).hasContent("of the guest\n");
        assertThat(file).hasContent("10.0.0.1 one\ntwo\n");
        Files.writeString(data.resolve("later"), "later\n");
        assertThat(shell(container, "cat /data/later")).isEqualTo("later");
        container.delete();
        assertThat(data.resolve("new")).exists();
        Container again = container("c", new Mount.Shared(data, GuestPath.of("/data"), false));
        assertThat(shell(again, "cat /data/new")).isEqualTo("of the guest");
    }

    @Test
    void aReadOnlyOneIsSoForTheWholeGuest() throws IOException {
        Container container = container("c", new Mount.Shared(data, GuestPath.of("/data"), true));
        // Root in the guest makes its own mount of all that is shared.
        String script = "mkdir /m && mount -t virtiofs kataShared /m && cat /m/*/sub/file;"
                + " echo x > /m/$(ls /m)/sub/file; echo x > /m/here; echo x > /data/sub/file";
        GuestProcess root = container.exec(ProcessConfig.builder("sh", "-c", "{ " + script + "; } 2>&1")
                .capabilities(Capabilities.of("CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"))
                .build());
        root.stdin().close();
        assertThat(output(root).strip().lines())
                .hasSize(4)
                .startsWith("of the host")
                .filteredOn(line -> line.contains("Read-only file system"))
                .hasSize(3);
        assertThat(data.resolve("sub/file")).hasContent("of the host\n");
    }

    @Test
    void aSymbolicLinkOfTheGuestDoesNotLeadToTheHost() throws IOException {
        Path secret = Files.writeString(directory.resolve("secret"), "secret\n");
        Container container = container("c", new Mount.Shared(data, GuestPath.of("/data"), false));
        String script = "mv /data/sub /data/old && ln -s " + directory + " /data/sub && cat /data/sub/secret;"
                + " echo x > /data/sub/made";
        assertThat(shell(container, script)).contains("No such file or directory");
        assertThat(data.resolve("sub")).isSymbolicLink();
        assertThat(directory.resolve("made")).doesNotExist();
        container.delete(); // follows nothing either
        assertThat(secret).hasContent("secret\n");
        assertThat(data.resolve("old/file")).hasContent("of the host\n");
    }

    @Test
    void theEndOfVirtiofsdEndsTheSandboxWithThatReason() throws Exception {
        Container container = container("c", new Mount.Shared(data, GuestPath.of("/data"), false));
        List<Long> daemons = new ArrayList<>(processesWith("--socket-path=" + fixture.state));
        assertThat(daemons).hasSize(3); // unshare, virtiofsd, and its process in the namespaces
        ProcessHandle.of(daemons.get(1)).orElseThrow().destroyForcibly();
        assertThatThrownBy(() -> container.process().waitFor(Duration.ofSeconds(30)))
                .isInstanceOf(VmDiedException.class)
                .hasMessageContaining("virtiofsd exited with code");
        assertThat(sandbox.state()).isEqualTo(State.STOPPED);
    }

    @Test
    void aDetachedSandboxSharesWithAnyProcess() throws IOException {
        Sandbox made = fixture.vc.run(SandboxConfig.builder("far")
                .memory(MemorySize.mib(256))
                .detached(true)
                .hypervisor(
                        HypervisorConfig.builder().sharedFs(SharedFs.VIRTIO_FS).build())
                .build());
        try {
            made.close();
            sandbox = fixture.vc.sandbox("far");
            for (String id : List.of("one", "two")) {
                Container container = container(id, new Mount.Shared(data, GuestPath.of("/data"), false));
                assertThat(shell(container, "cat /data/sub/file")).isEqualTo("of the host");
                container.delete();
            }
        } finally {
            fixture.vc.cleanup("far");
        }
    }

    @Test
    void aKilledProcessLeavesNoVirtiofsd() throws Exception {
        Process other = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        RunAndWait.class.getName(),
                        fixture.state.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try {
            assertThat(other.inputReader().lines().anyMatch("running"::equals)).isTrue();
            assertThat(processesWith("--socket-path=" + fixture.state + "/sandboxes/crash"))
                    .isNotEmpty();
        } finally {
            other.destroyForcibly().waitFor();
        }
        try (VirtContainers next =
                VirtContainers.builder().stateDirectory(fixture.state).open()) {
            assertThat(processesWith(fixture.state + "/sandboxes/crash")).isEmpty();
            assertThat(next.list()).noneMatch(status -> status.id().equals("crash"));
        }
    }

    /** Another Java process with a sandbox that shares files. */
    static final class RunAndWait {
        public static void main(String[] arguments) throws InterruptedException {
            VirtContainers vc = VirtContainers.builder()
                    .stateDirectory(Path.of(arguments[0]))
                    .open();
            Sandbox unused = vc.run(SandboxConfig.builder("crash")
                    .memory(MemorySize.mib(256))
                    .hypervisor(HypervisorConfig.builder()
                            .sharedFs(SharedFs.VIRTIO_FS)
                            .build())
                    .build());
            System.out.println("running");
            Thread.sleep(Long.MAX_VALUE);
        }
    }

    @Test
    void sourcesThatCannotBeSharedAreRefusedBeforeAnythingIsDone() {
        for (Path wrong : List.of(directory.resolve("none"), Path.of("/dev/null"))) {
            assertThatThrownBy(() -> container("c", new Mount.Shared(wrong, GuestPath.of("/x"), true)))
                    .isInstanceOf(InvalidConfigException.class)
                    .hasMessageContaining("source of the mount on /x");
        }
        assertThat(sandbox.containers()).isEmpty();
    }

    @Test
    void aFullDiskOfTheHostIsAnErrorInTheGuestAndNoMore() throws IOException {
        Path small = Files.createDirectory(directory.resolve("small"));
        GuestDisks.run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small.toString());
        try {
            sandbox.close(); // one that was started before need not see the mount
            sandbox = run();
            Container container = container("c", new Mount.Shared(small, GuestPath.of("/data"), false));
            assertThat(shell(container, "dd if=/dev/zero of=/data/x bs=1M count=8"))
                    .contains("No space left on device");
            assertThat(shell(container, ": > /data/x && echo fits > /data/y && cat /data/y"))
                    .isEqualTo("fits");
            sandbox.close();
        } finally {
            GuestDisks.run("umount", small.toString());
        }
    }

    @Test
    void aDirectoryThatTheHostDeletesIsGoneForTheGuestToo() throws IOException {
        Path doomed = Files.createDirectory(directory.resolve("doomed"));
        Files.writeString(doomed.resolve("file"), "x\n");
        Container container = container("c", new Mount.Shared(doomed, GuestPath.of("/data"), false));
        assertThat(shell(container, "cat /data/file")).isEqualTo("x");
        Files.delete(doomed.resolve("file"));
        Files.delete(doomed);
        assertThat(shell(container, "echo y > /data/new; echo alive")).contains("nonexistent directory", "alive");
        container.delete();
        assertThat(shell(container("d"), "echo alive")).isEqualTo("alive");
    }

    /** Memory that was plugged in is shared with virtiofsd as the rest is. */
    @Test
    void filesGoThroughMemoryThatWasPluggedIn() throws IOException {
        sandbox.close();
        sandbox = fixture.vc.run(SandboxConfig.builder("live")
                .memory(MemorySize.mib(256))
                .hypervisor(HypervisorConfig.builder()
                        .sharedFs(SharedFs.VIRTIO_FS)
                        .memory(GuestMemoryConfig.builder()
                                .max(MemorySize.mib(1024))
                                .build())
                        .build())
                .build());
        sandbox.resize(1, MemorySize.mib(1024));
        byte[] bytes = new byte[600 << 20]; // more than there was at the start
        for (int i = 0; i < bytes.length; i += 4096) {
            bytes[i] = (byte) (i >> 12);
        }
        Files.write(data.resolve("large"), bytes);
        Container container = container("c", new Mount.Shared(data, GuestPath.of("/data"), false));
        assertThat(shell(container, "cp /data/large /data/copy && cmp /data/large /data/copy && echo same"))
                .isEqualTo("same");
        assertThat(Files.mismatch(data.resolve("large"), data.resolve("copy"))).isEqualTo(-1);
    }
}
