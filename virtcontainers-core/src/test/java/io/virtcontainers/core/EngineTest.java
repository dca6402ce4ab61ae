// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.CommandResult;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.HostCheck;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.VirtException;
import io.virtcontainers.core.state.StateDirectory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EngineTest {
    private static final Duration SOON = Duration.ofSeconds(10);

    @TempDir
    Path directory;

    @Test
    void runsOneCommandInOneStatement() throws IOException {
        try (EngineFixture fixture = new EngineFixture(directory)) {
            fixture.agents.program("both", (arguments, in, out, err) -> {
                out.write("out".getBytes(UTF_8));
                err.write("err".getBytes(UTF_8));
                return in.read() == -1 ? 7 : 8;
            });
            CommandResult result =
                    fixture.engine.runCommand(RootFs.directory(fixture.rootfs), ProcessConfig.of("both"), SOON);
            assertThat(result.exitCode()).isEqualTo(7);
            assertThat(result.stdout()).isEqualTo("out");
            assertThat(result.stderr()).isEqualTo("err");
            assertThat(fixture.engine.sandboxes()).isEmpty();
            assertThat(fixture.sandboxDirectories()).isEmpty();
        }
    }

    @Test
    void theHostIsLookedAtByTheBackends() throws IOException {
        try (EngineFixture fixture = new EngineFixture(directory)) {
            assertThat(fixture.engine.check().stream().map(HostCheck::name))
                    .containsExactly("fake hypervisor", "fake images", "ip", "tc", "nsenter");
            assertThat(fixture.engine.sandboxes()).isEmpty();
            fixture.engine.close();
            assertThatThrownBy(() -> fixture.engine.check()).isInstanceOf(VirtException.class);
        }
    }

    @Test
    void aCommandThatTakesTooLongIsEnded() throws IOException {
        try (EngineFixture fixture = new EngineFixture(directory)) {
            RootFs rootfs = RootFs.directory(fixture.rootfs);
            ProcessConfig sleep = ProcessConfig.of("sleep");
            assertThatThrownBy(() -> fixture.engine.runCommand(rootfs, sleep, Duration.ofMillis(50)))
                    .isInstanceOf(DeadlineExceededException.class)
                    .hasMessageContaining("the end of the command [sleep]");
            assertThat(fixture.hypervisor.machines().get(0).isAlive()).isFalse();
        }
    }

    @Test
    void aCommandThatPrintsWithoutEndIsEnded() throws IOException {
        try (EngineFixture fixture = new EngineFixture(directory)) {
            fixture.agents.program("flood", (arguments, in, out, err) -> {
                byte[] chunk = new byte[1 << 16];
                while (true) {
                    out.write(chunk);
                }
            });
            RootFs rootfs = RootFs.directory(fixture.rootfs);
            assertThatThrownBy(() -> fixture.engine.runCommand(rootfs, ProcessConfig.of("flood"), SOON))
                    .isInstanceOf(VirtException.class)
                    .hasMessageContaining("more than 64 MiB");
        }
    }

    @Test
    void aWrongRootFileSystemIsRefusedBeforeAnythingIsBooted() throws IOException {
        try (EngineFixture fixture = new EngineFixture(directory)) {
            Path noImage = Files.writeString(directory.resolve("image"), "text");
            for (RootFs wrong : List.of(
                    RootFs.directory(directory.resolve("nope")),
                    RootFs.image(directory.resolve("nope")),
                    RootFs.image(noImage))) {
                assertThatThrownBy(() -> fixture.engine.runCommand(wrong, ProcessConfig.of("true"), SOON))
                        .isInstanceOf(InvalidConfigException.class)
                        .hasMessageContaining(directory.toString());
            }
            assertThat(fixture.hypervisor.machines()).isEmpty();
        }
    }

    @Test
    void refusesAnIdThatIsTakenInThisOrAnotherEngine() throws IOException {
        try (EngineFixture first = new EngineFixture(directory);
                EngineFixture second = new EngineFixture(directory)) {
            Sandbox sandbox = first.running("demo");
            assertThatThrownBy(() -> first.running("demo")).isInstanceOf(AlreadyExistsException.class);
            assertThatThrownBy(() -> second.running("demo"))
                    .isInstanceOf(AlreadyExistsException.class)
                    .hasMessageContaining("process " + ProcessHandle.current().pid());
            assertThat(first.engine.sandbox("demo")).isSameAs(sandbox);
            sandbox.delete();
            second.running("demo");
        }
    }

    @Test
    void sweepsWhatACrashedProcessLeftAndNothingElse() throws IOException {
        Path orphan = directory.resolve("state/sandboxes/orphan");
        try (EngineFixture alive = new EngineFixture(directory)) {
            alive.running("alive");
            Files.createDirectories(orphan.resolve("files"));
            Files.createSymbolicLink(orphan.resolve("files/link"), directory);
            try (EngineFixture next = new EngineFixture(directory)) {
                assertThat(next.hypervisor.reaped()).containsExactly(orphan.resolve("vm"));
                assertThat(orphan).doesNotExist();
                assertThat(directory).exists();
                assertThat(next.sandboxDirectories()).hasSize(1);
            }
        }
    }

    @Test
    void keepsWhatCannotBeSweptForTheNextTime() throws IOException {
        Path orphan = directory.resolve("state/sandboxes/orphan");
        try (EngineFixture fixture = new EngineFixture(directory)) {
            Files.createDirectories(orphan);
            fixture.hypervisor.faults().fail("reap", new HypervisorException("it survives"));
            assertThatThrownBy(() -> fixture.running("orphan")).hasMessage("it survives");
            assertThat(orphan).exists();
            fixture.hypervisor.faults().heal("reap");
            fixture.running("orphan");
        }
    }

    @Test
    void closingDeletesAllSandboxesAndTheBackends() throws IOException {
        EngineFixture fixture = new EngineFixture(directory);
        fixture.running("one");
        fixture.running("two");
        fixture.close();
        fixture.close();
        assertThat(fixture.sandboxDirectories()).isEmpty();
        assertThat(fixture.hypervisor.machines()).noneMatch(machine -> machine.isAlive());
        assertThat(fixture.hypervisor.isClosed()).isTrue();
        assertThat(fixture.agents.isClosed()).isTrue();
        assertThatThrownBy(() -> fixture.running("three")).hasMessageContaining("closed");
    }

    @Test
    void closingReportsASandboxThatCannotBeEndedAndStillEndsTheOthers() throws IOException {
        EngineFixture fixture = new EngineFixture(directory);
        fixture.running("one");
        fixture.hypervisor.faults().fail("stop", new HypervisorException("survived SIGKILL"));
        assertThatThrownBy(fixture::close)
                .satisfies(e -> assertThat(e.getSuppressed()).hasSize(1));
        assertThat(fixture.hypervisor.isClosed()).isTrue();
    }

    @Test
    void anUnknownSandboxIsNotFound() throws IOException {
        try (EngineFixture fixture = new EngineFixture(directory)) {
            assertThatThrownBy(() -> fixture.engine.sandbox("nope"))
                    .isInstanceOf(NotFoundException.class)
                    .hasMessageContaining("there is no sandbox nope");
        }
    }

    @Test
    void refusesAStateDirectoryThatOthersCanWrite() throws IOException {
        Path open = Files.createDirectory(directory.resolve("open"));
        Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThatThrownBy(() -> StateDirectory.open(open))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("tamper");
        Path link = Files.createSymbolicLink(directory.resolve("link"), directory);
        assertThatThrownBy(() -> StateDirectory.open(link))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("is not a directory");
    }

    @Test
    void refusesAStateDirectoryThatIsTooLongForSockets() {
        Path deep = directory.resolve("d".repeat(100));
        assertThatThrownBy(() -> StateDirectory.open(deep))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("shorter");
    }

    @Test
    void aLongIdGetsAShortDirectory() throws IOException {
        try (EngineFixture fixture = new EngineFixture(directory)) {
            fixture.running("a".repeat(64));
            fixture.running("a".repeat(63) + "b");
            assertThat(fixture.sandboxDirectories())
                    .hasSize(2)
                    .allMatch(path -> path.toString().length() + 16 <= 107);
        }
    }

    @Test
    void runsManySandboxesAtOnceAndLeavesNothing() throws IOException {
        try (EngineFixture fixture = new EngineFixture(directory)) {
            List<CompletableFuture<Void>> all = new ArrayList<>();
            IntStream.range(0, 50)
                    .forEach(i -> all.add(CompletableFuture.runAsync(() -> {
                        try (Sandbox sandbox = fixture.running("s" + i)) {
                            var container = fixture.container(sandbox, "c", "true");
                            container.start();
                            assertThat(container.process().waitFor(SOON).isSuccess())
                                    .isTrue();
                        }
                    })));
            all.forEach(CompletableFuture::join);
            assertThat(fixture.sandboxDirectories()).isEmpty();
            assertThat(fixture.hypervisor.machines()).hasSize(50).noneMatch(machine -> machine.isAlive());
        }
    }
}
