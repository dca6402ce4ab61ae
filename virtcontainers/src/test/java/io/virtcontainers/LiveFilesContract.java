// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.allOutput;
import static io.virtcontainers.VmFixture.output;
import static io.virtcontainers.VmFixture.processesWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What containers see of the host's files, live, whichever way they are shared. */
@Tag("vm")
@Timeout(120)
abstract class LiveFilesContract {
    @TempDir
    Path directory;

    VmFixture fixture;
    Sandbox sandbox;
    Path data;

    /** A machine that shares files. */
    abstract HypervisorConfig settings();

    @BeforeEach
    void open() throws IOException {
        fixture = new VmFixture(directory);
        sandbox = run();
        data = Files.createDirectories(directory.resolve("data"));
        Files.writeString(Files.createDirectory(data.resolve("sub")).resolve("file"), "of the host\n");
    }

    Sandbox run() {
        return fixture.vc.run(SandboxConfig.builder("live")
                .memory(MemorySize.mib(256))
                .hypervisor(settings())
                .build());
    }

    /** The mounts of this test; other programs mount and unmount what they like meanwhile. */
    List<String> mounts() throws IOException {
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
    }

    Container container(String id, Mount... mounts) {
        return fixture.sleeping(sandbox, id, mounts);
    }

    @Test
    void bothSidesSeeWhatTheOtherWrites() throws IOException {
        Path file = Files.writeString(directory.resolve("hosts"), "10.0.0.1 one\n");
        Container container = container(
                "c",
                new Mount.Shared(data, GuestPath.of("/data"), false),
                new Mount.Shared(file, GuestPath.of("/etc/hosts"), false));
        assertThat(allOutput(
                        container,
                        "cat /data/sub/file /etc/hosts; echo of the guest > /data/new; echo two >> /etc/hosts"))
                .isEqualTo("of the host\n10.0.0.1 one");
        assertThat(data.resolve("new")).hasContent("of the guest\n");
        assertThat(file).hasContent("10.0.0.1 one\ntwo\n");
        assertThat(mounts()).as("on the host").isEmpty();
        Files.writeString(data.resolve("later"), "later\n");
        assertThat(allOutput(container, "cat /data/later")).isEqualTo("later");
        container.delete();
        assertThat(data.resolve("new")).exists();
        Container again = container("c", new Mount.Shared(data, GuestPath.of("/data"), false));
        assertThat(allOutput(again, "cat /data/new")).isEqualTo("of the guest");
    }

    @Test
    void aSymbolicLinkOfTheGuestDoesNotLeadToTheHost() throws IOException {
        Path secret = Files.writeString(directory.resolve("secret"), "secret\n");
        Container container = container("c", new Mount.Shared(data, GuestPath.of("/data"), false));
        String script = "mv /data/sub /data/old && ln -s " + directory + " /data/sub && cat /data/sub/secret;"
                + " echo x > /data/sub/made";
        assertThat(allOutput(container, script)).contains("No such file or directory");
        assertThat(data.resolve("sub")).isSymbolicLink();
        assertThat(directory.resolve("made")).doesNotExist();
        container.delete(); // follows nothing either
        assertThat(secret).hasContent("secret\n");
        assertThat(data.resolve("old/file")).hasContent("of the host\n");
    }

    /** The guest has the directory open while it becomes a link: the host's side must not find its way by name. */
    @Test
    void aDirectoryThatBecomesALinkDoesNotLeadToTheHost() throws IOException {
        Files.writeString(directory.resolve("secret"), "secret\n");
        Container container = container("c", new Mount.Shared(data, GuestPath.of("/data"), false));
        GuestProcess inside = container.exec(
                ProcessConfig.of("sh", "-c", "cd /data/sub; echo there; read x; cat secret; echo x > made"));
        assertThat(inside.stdout().read()).isEqualTo('t');
        Files.move(data.resolve("sub"), data.resolve("old"));
        Files.createSymbolicLink(data.resolve("sub"), directory);
        inside.stdin().write('\n');
        inside.stdin().close();
        assertThat(output(inside)).doesNotContain("secret");
        assertThat(directory.resolve("made")).doesNotExist();
    }

    @Test
    void ownersAndModesAreThoseOfTheHost() throws IOException {
        Container container = container("c", new Mount.Shared(data, GuestPath.of("/data"), false));
        assertThat(allOutput(
                        container,
                        "cd /data; mkdir d; chown 12:34 d; chmod 751 d; ln -s d l; ln sub/file hard; mv sub/file sub/new;"
                                + " stat -c %u:%g:%a:%h d sub/new"))
                .isEqualTo("12:34:751:2\n0:0:644:2");
        assertThat(Files.readAttributes(data.resolve("d"), "unix:uid,gid,mode"))
                .containsEntry("uid", 12)
                .containsEntry("gid", 34)
                .containsEntry("mode", 0_040_751);
        assertThat(Files.readSymbolicLink(data.resolve("l"))).hasToString("d");
    }

    @Test
    void aDetachedSandboxSharesWithAnyProcess() throws IOException {
        Sandbox made = fixture.vc.run(SandboxConfig.builder("far")
                .memory(MemorySize.mib(256))
                .detached(true)
                .hypervisor(settings())
                .build());
        try {
            made.close();
            sandbox = fixture.vc.sandbox("far");
            for (String id : List.of("one", "two")) {
                Container container = container(id, new Mount.Shared(data, GuestPath.of("/data"), false));
                assertThat(allOutput(container, "cat /data/sub/file")).isEqualTo("of the host");
                container.delete();
            }
        } finally {
            fixture.vc.cleanup("far");
        }
    }

    @Test
    void aKilledProcessLeavesNothing() throws Exception {
        Process other = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        RunAndWait.class.getName(),
                        fixture.state.toString(),
                        settings().sharedFs().type().name(),
                        settings().kernel().map(Path::toString).orElse(""))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try {
            assertThat(other.inputReader().lines().anyMatch("running"::equals)).isTrue();
            assertThat(processesWith(fixture.state + "/sandboxes/crash")).isNotEmpty();
            assertThat(mounts()).isEmpty();
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
            HypervisorConfig.Builder settings = HypervisorConfig.builder().sharedFs(SharedFs.valueOf(arguments[1]));
            if (!arguments[2].isEmpty()) {
                settings.kernel(Path.of(arguments[2]));
            }
            Sandbox unused = vc.run(SandboxConfig.builder("crash")
                    .memory(MemorySize.mib(256))
                    .hypervisor(settings.build())
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
            Container container = container("c", new Mount.Shared(small, GuestPath.of("/data"), false));
            assertThat(allOutput(container, "dd if=/dev/zero of=/data/x bs=1M count=8"))
                    .contains("No space left on device");
            assertThat(allOutput(container, ": > /data/x && echo fits > /data/y && cat /data/y"))
                    .isEqualTo("fits");
            sandbox.close();
        } finally {
            GuestDisks.run("umount", small.toString());
        }
    }

    /** On any host: whether or not its mounts propagate to others. */
    @Test
    void whatTheHostHasMountedBelowASourceComesWithIt() throws IOException {
        GuestDisks.run("mount", "-t", "tmpfs", "tmpfs", data.resolve("sub").toString());
        try {
            Files.writeString(data.resolve("sub/mounted"), "of the mount\n");
            Container container = container(
                    "c",
                    new Mount.Shared(data, GuestPath.of("/data"), false),
                    new Mount.Shared(data, GuestPath.of("/read-only"), true),
                    new Mount.Shared(data.resolve("sub/mounted"), GuestPath.of("/file"), true));
            assertThat(allOutput(
                            container,
                            "cat /read-only/sub/mounted /file; echo x > /read-only/sub/no; echo x > /file;"
                                    + " echo of the guest > /data/sub/new"))
                    .isEqualTo("""
                            of the mount
                            of the mount
                            sh: can't create /read-only/sub/no: Read-only file system
                            sh: can't create /file: Read-only file system""");
            assertThat(data.resolve("sub/new")).hasContent("of the guest\n");
            container.delete();
        } finally {
            GuestDisks.run("umount", data.resolve("sub").toString()); // nothing of the sandbox keeps it busy
        }
    }

    @Test
    void whatTheHostMountsLaterIsSeenBelowAMountThatPropagates() throws IOException {
        Path later = Files.createDirectory(data.resolve("later"));
        GuestDisks.run("mount", "--bind", data.toString(), data.toString());
        try {
            GuestDisks.run("mount", "--make-shared", data.toString());
            Container container = container("c", new Mount.Shared(data, GuestPath.of("/data"), false));
            GuestDisks.run("mount", "-t", "tmpfs", "tmpfs", later.toString());
            Files.writeString(later.resolve("file"), "came later\n");
            assertThat(allOutput(container, "cat /data/later/file")).isEqualTo("came later");
            assertThat(mounts()).as("those of this test").hasSize(2);
            GuestDisks.run("umount", "--lazy", later.toString()); // the guest's caches keep it busy
            String untilItIsGone = "while ls /data/later | grep -q file; do sleep 0.1; done; echo gone";
            assertThat(allOutput(container, untilItIsGone)).isEqualTo("gone"); // bounded by the test's timeout
            container.delete();
        } finally {
            GuestDisks.run("umount", "--lazy", "--recursive", data.toString());
        }
    }

    @Test
    void aDirectoryThatTheHostDeletesIsGoneForTheGuestToo() throws IOException {
        Path doomed = Files.createDirectory(directory.resolve("doomed"));
        Files.writeString(doomed.resolve("file"), "x\n");
        Container container = container("c", new Mount.Shared(doomed, GuestPath.of("/data"), false));
        assertThat(allOutput(container, "cat /data/file")).isEqualTo("x");
        Files.delete(doomed.resolve("file"));
        Files.delete(doomed);
        assertThat(allOutput(container, "echo y > /data/new; echo alive")).contains("nonexistent directory", "alive");
        container.delete();
        assertThat(allOutput(container("d"), "echo alive")).isEqualTo("alive");
    }
}
