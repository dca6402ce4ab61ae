// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.output;
import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.testkit.OtherJvm;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** One detached sandbox whose users are killed in the middle of a stream, one after the other. */
@Tag("vm")
class KilledFiftyTimesVmTest {
    private static final int USERS = 50;

    @TempDir
    Path directory;

    @Test
    @Timeout(600)
    void streamsAndExecWorkForWhoeverComesNext() throws Exception {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        try (VmFixture fixture = new VmFixture(directory)) {
            Sandbox made = fixture.vc.run(SandboxConfig.builder("d")
                    .memory(MemorySize.mib(256))
                    .detached(true)
                    .build());
            try {
                fixture.container(made, "c", "sleep", "1000000").start();
                made.close();
                List<Path> files = fixture.sandboxFiles();
                String process = "none";
                for (int i = 0; i < USERS; i++) {
                    try (OtherJvm user = new OtherJvm(KilledUser.class, fixture.state.toString(), process)) {
                        process = user.readLine();
                        assertThat(process).as("user %d", i).startsWith("exec-");
                        for (int pieces = random.nextInt(6); pieces > 0; pieces--) {
                            assertThat(user.readLine())
                                    .as("user %d, seed %d", i, seed)
                                    .isEqualTo("piece");
                        }
                        user.kill();
                    }
                }
                Sandbox sandbox = fixture.vc.sandbox("d");
                Container container = sandbox.container("c");
                GuestProcess last = container.process(process);
                last.signal(Signal.KILL);
                assertThat(last.waitFor(VmFixture.SOON).code()).isEqualTo(137);
                assertThat(output(container.exec(ProcessConfig.of("echo", "still here"))))
                        .isEqualTo("still here\n");
                assertThat(container.pids())
                        .as("processes left in the container")
                        .hasSize(1);
                assertThat(fixture.sandboxFiles()).containsExactlyInAnyOrderElementsOf(files);
            } finally {
                fixture.vc.sandbox("d").delete();
            }
            assertThat(fixture.sandboxFiles()).isEmpty();
            assertThat(VmFixture.processesWith("-pidfile " + fixture.state)).isEmpty();
        }
    }
}
