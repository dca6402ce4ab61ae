// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SandboxEvent;
import io.virtcontainers.State;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.VmEvent;
import io.virtcontainers.testkit.EventQueue;
import io.virtcontainers.testkit.FakeVirtualMachine;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a machine tells of its own accord reaches the users of its sandbox. */
class MachineEventsTest {
    private static final Duration SOON = Duration.ofSeconds(10);

    @TempDir
    Path directory;

    private EngineFixture fixture;
    private Sandbox sandbox;
    private FakeVirtualMachine machine;
    private final EventQueue events = new EventQueue();

    @BeforeEach
    void run() throws IOException {
        fixture = new EngineFixture(directory);
        sandbox =
                fixture.engine.run(SandboxConfig.builder("demo").detached(true).build());
        sandbox.events().subscribe(events);
        machine = fixture.hypervisor.machines().get(0);
    }

    @AfterEach
    void close() {
        fixture.engine.cleanup("demo");
        fixture.close();
    }

    @Test
    void aDiskErrorNamesTheDevice() {
        machine.tell(new VmEvent.DiskError("data", true, "No space left on device"));
        assertThat(events.next(SandboxEvent.DiskError.class, SOON))
                .isEqualTo(new SandboxEvent.DiskError("demo", "data", true, "No space left on device"));
    }

    @Test
    void aPanicOfTheGuestIsToldBeforeTheEnd() {
        machine.tell(new VmEvent.GuestPanicked());
        machine.die("guest kernel panic");
        assertThat(events.next(SandboxEvent.GuestPanicked.class, SOON))
                .isEqualTo(new SandboxEvent.GuestPanicked("demo"));
        assertThat(events.next(SandboxEvent.VmEnded.class, SOON).reason()).isEqualTo("guest kernel panic");
    }

    @Test
    void theStateFollowsSomebodyElseWhoHaltsTheMachine() {
        machine.halt(true);
        SandboxEvent.StateChanged halted = events.next(SandboxEvent.StateChanged.class, SOON);
        assertThat(halted.to()).isEqualTo(State.PAUSED);
        assertThat(halted.reason()).isEqualTo("halted by somebody else");
        assertThat(sandbox.status().state()).isEqualTo(State.PAUSED);
        machine.halt(false);
        assertThat(events.next(SandboxEvent.StateChanged.class, SOON).reason()).isEqualTo("resumed by somebody else");
        assertThat(sandbox.status().state()).isEqualTo(State.RUNNING);
    }

    @Test
    void aMachineThatSomebodyElseHaltedIsResumedAsUsual() {
        machine.halt(true);
        await().atMost(SOON).until(() -> sandbox.state() == State.PAUSED);
        sandbox.resume();
        assertThat(machine.isPaused(Deadline.after(SOON))).isFalse();
        assertThat(sandbox.state()).isEqualTo(State.RUNNING);
    }

    /** Another process has no connection on which it would be told. */
    @Test
    void statusFindsOutThatTheMachineIsHalted() {
        machine.onEvent(event -> {});
        machine.halt(true);
        assertThat(sandbox.status().state()).isEqualTo(State.PAUSED);
    }
}
