// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.HostProcess;
import io.virtcontainers.IllegalTransitionException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SandboxStatus;
import io.virtcontainers.State;
import io.virtcontainers.VirtContainers;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;

/**
 * What the contract tests of an engine share: {@link SandboxTck}, {@link ContainerTck}, {@link DetachedTck}. They use the
 * public API alone, and programs that are both in busybox and in the fakes: true, false, echo, cat, sleep.
 */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
public abstract class EngineTck {
    static final Duration SOON = Duration.ofSeconds(60);

    /** More than the five seconds for which a status may wait for a lock. */
    static final Duration AT_ONCE = Duration.ofSeconds(15);

    private final List<VirtContainers> engines = new ArrayList<>();
    private Path state;

    /** The engine under test. */
    VirtContainers vc;

    /** Opens an engine on this state directory; called several times for one directory, as by several processes. */
    protected abstract VirtContainers open(Path stateDirectory);

    /** A root file system such as busybox. */
    protected abstract RootFs rootfs();

    /** A command that does nothing but end with this exit code. */
    protected abstract List<String> exitWith(int code);

    /** Kills the sandbox's machine behind the engine's back, as {@code kill -9} does. */
    protected void kill(Sandbox sandbox) {
        HostProcess hypervisor = sandbox.status().hypervisor().orElseThrow();
        assertThat(hypervisor)
                .as("a machine inside this Java process cannot be killed: override kill")
                .isNotEqualTo(HostProcess.current());
        assertThat(ProcessHandle.of(hypervisor.pid()).orElseThrow().destroyForcibly())
                .isTrue();
        // From here on the death can be observed; a moment before, "running" is still the truth.
        org.awaitility.Awaitility.await().until(() -> !hypervisor.isAlive());
    }

    @BeforeEach
    void openFirst() throws IOException {
        // Not a @TempDir: sockets need a short path.
        state = Files.createTempDirectory("vct");
        vc = another();
    }

    @AfterEach
    void closeAll() throws IOException {
        engines.forEach(VirtContainers::close);
        try (VirtContainers last = open(state)) {
            last.list().forEach(status -> last.cleanup(status.id()));
            assertThat(last.list()).as("what cleanup left").isEmpty();
        }
        try (Stream<Path> files = Files.walk(state).sorted(Comparator.reverseOrder())) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
    }

    Path stateDirectory() {
        return state;
    }

    /** One more engine on the same state directory. */
    VirtContainers another() {
        VirtContainers more = open(state);
        engines.add(more);
        return more;
    }

    static SandboxConfig.Builder config(String id) {
        return SandboxConfig.builder(id).memory(MemorySize.mib(256));
    }

    /** A sandbox in this state. */
    Sandbox sandbox(String id, State wanted) {
        Sandbox sandbox = vc.create(config(id).build());
        if (wanted != State.READY) {
            sandbox.start();
        }
        if (wanted == State.PAUSED) {
            sandbox.pause();
        }
        if (wanted == State.STOPPED) {
            sandbox.stop();
        }
        assertThat(sandbox.state()).isEqualTo(wanted);
        return sandbox;
    }

    ContainerConfig.Builder container(String id) {
        return ContainerConfig.builder(id).rootfs(rootfs());
    }

    Container create(Sandbox sandbox, String id, String... command) {
        return sandbox.createContainer(container(id).command(command).build());
    }

    Container running(Sandbox sandbox, String id, String... command) {
        Container container = create(sandbox, id, command);
        container.start();
        return container;
    }

    /** A container in this state. */
    Container container(Sandbox sandbox, String id, State wanted) {
        Container container = create(sandbox, id, "sleep", "1000");
        if (wanted != State.READY) {
            container.start();
        }
        if (wanted == State.PAUSED) {
            container.pause();
        }
        if (wanted == State.STOPPED) {
            container.stop();
        }
        assertThat(container.state()).isEqualTo(wanted);
        return container;
    }

    static void write(GuestProcess process, String text) throws IOException {
        process.stdin().write(text.getBytes(UTF_8));
        process.stdin().flush();
    }

    static String all(GuestProcess process) throws IOException {
        return new String(process.stdout().readAllBytes(), UTF_8);
    }

    static CompletableFuture<String> read(GuestProcess process, int length) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return new String(process.stdout().readNBytes(length), UTF_8);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    /** That an echo of cat comes back: the process lives, and its streams carry. */
    static void assertEchoes(GuestProcess cat, String text) throws IOException {
        write(cat, text);
        assertThat(read(cat, text.length()))
                .as("the echo of %s", text.strip())
                .succeedsWithin(SOON)
                .isEqualTo(text);
    }

    /**
     * That the operation is refused for the state, that the error says from where to where, and that nothing changed.
     *
     * @param to the state it would have led to; empty for an operation that changes no state
     */
    static void assertRefused(
            String operation, State from, Optional<State> to, Supplier<?> status, ThrowingCallable call) {
        Object before = status.get();
        Throwable error = catchThrowable(call);
        assertThat(error)
                .as("%s in the state %s is refused with IllegalTransitionException", operation, from)
                .isInstanceOf(IllegalTransitionException.class);
        IllegalTransitionException refusal = (IllegalTransitionException) error;
        assertThat(refusal.from()).as("from() of the refusal of %s", operation).isEqualTo(from);
        assertThat(refusal.to())
                .as("to() of the refusal of %s in the state %s", operation, from)
                .isEqualTo(to);
        assertThat(refusal).as("the refusal names the state").hasMessageContaining(from.toString());
        assertThat(status.get())
                .as("the status after the refused %s in the state %s", operation, from)
                .isEqualTo(before);
    }

    /** That a machine runs for the sandbox, by the host's and by the guest's word. */
    static void assertRuns(SandboxStatus status) {
        assertThat(status.state()).as("the state of %s", status).isEqualTo(State.RUNNING);
        assertThat(status.hypervisor())
                .as("the hypervisor of %s", status)
                .hasValueSatisfying(process ->
                        assertThat(process.isAlive()).as("%s is alive", process).isTrue());
        assertThat(status.guestAnswers()).as("the guest of %s answers", status).isTrue();
        assertThat(status.stopReason()).isEmpty();
    }

    /** That no machine runs for it, and that it says why. */
    static void assertStopped(SandboxStatus status) {
        assertThat(status.state()).as("the state of %s", status).isEqualTo(State.STOPPED);
        assertThat(status.hypervisor()).as("the hypervisor of %s", status).isEmpty();
        assertThat(status.stopReason()).as("why %s is stopped", status.id()).isPresent();
        assertThat(status.containers())
                .as("the containers of a stopped sandbox")
                .allSatisfy(container -> assertThat(container.state()).isEqualTo(State.STOPPED));
    }
}
