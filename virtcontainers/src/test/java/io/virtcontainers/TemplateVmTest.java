// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.output;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Sandboxes that are clones of a template. */
@Tag("vm")
@Timeout(180)
class TemplateVmTest {
    private static final int CLONES = Integer.getInteger("clones", 6);

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

    private static SandboxConfig.Builder config(String id) {
        return SandboxConfig.builder(id).memory(MemorySize.mib(256)).template(true);
    }

    private static String shell(Container container, String script) throws IOException {
        GuestProcess process = container.exec(ProcessConfig.of("sh", "-c", script));
        process.stdin().close();
        return output(process).strip();
    }

    private Container container(Sandbox sandbox) {
        Container container = fixture.container(sandbox, "c", "sleep", "100000");
        container.start();
        return container;
    }

    private static boolean hasPhase(Sandbox sandbox, String name) {
        return sandbox.timeline().phases().stream()
                .anyMatch(phase -> phase.name().equals(name));
    }

    private List<Path> templates() throws IOException {
        try (Stream<Path> entries = Files.list(fixture.state.resolve("templates"))) {
            return entries.filter(Files::isDirectory).toList();
        }
    }

    @Test
    void clonesRunSideBySideAndShareNothing() throws Exception {
        List<Sandbox> sandboxes = new ArrayList<>();
        List<String> random = new ArrayList<>();
        for (int i = 0; i < CLONES; i++) {
            Sandbox sandbox = fixture.vc.run(config("clone" + i).build());
            sandboxes.add(sandbox);
            assertThat(hasPhase(sandbox, "template.make")).isEqualTo(i == 0);
            assertThat(hasPhase(sandbox, "template.refused")).isFalse();
            Container container = container(sandbox);
            assertThat(shell(container, "hostname")).isEqualTo("clone" + i);
            assertThat(Long.parseLong(shell(container, "date +%s")))
                    .isCloseTo(Instant.now().getEpochSecond(), org.assertj.core.data.Offset.offset(5L));
            random.add(shell(container, "head -c 32 /dev/urandom | od -A n -t x1 | tr -d ' \n'"));
            random.add(shell(container, "cat /proc/sys/kernel/random/uuid"));
        }
        assertThat(new HashSet<>(random)).hasSize(2 * CLONES);
        for (int i = 0; i < CLONES; i++) {
            Container container = sandboxes.get(i).container("c");
            assertThat(shell(container, "echo output-of-" + i)).isEqualTo("output-of-" + i);
        }
        assertThat(templates()).hasSize(1);
        for (Sandbox sandbox : sandboxes) {
            sandbox.close();
        }
        assertThat(VmFixture.processesWith(fixture.state.toString() + "/sandboxes"))
                .isEmpty();
    }

    @Test
    void aCloneStopsAndStartsAndTakesDisks() throws Exception {
        Sandbox sandbox = fixture.vc.run(config("life").build());
        for (int i = 0; i < 2; i++) {
            Container container = fixture.container(sandbox, "c" + i, "echo", "hello");
            assertThat(output(container)).isEqualTo("hello\n");
            container.delete();
        }
        sandbox.pause();
        sandbox.resume();
        sandbox.stop();
        sandbox.start();
        assertThat(output(fixture.container(sandbox, "again", "echo", "hello"))).isEqualTo("hello\n");
    }

    @Test
    void aDetachedOneIsACloneToo() throws Exception {
        Sandbox made = fixture.vc.run(config("far").detached(true).build());
        try {
            container(made);
            made.close();
            Sandbox fetched = fixture.vc.sandbox("far");
            assertThat(shell(fetched.container("c"), "echo there")).isEqualTo("there");
        } finally {
            fixture.vc.cleanup("far");
        }
    }

    @Test
    void aTemplateThatWasTouchedIsMadeAnew() throws Exception {
        fixture.vc.run(config("first").build()).close();
        for (String file : List.of("state", "memory", "manifest")) {
            Path touched = templates().get(0).resolve(file);
            try (RandomAccessFile bytes = new RandomAccessFile(touched.toFile(), "rw")) {
                bytes.seek(bytes.length() / 2);
                int old = bytes.read();
                bytes.seek(bytes.length() / 2);
                bytes.write(old ^ 1);
            }
            try (Sandbox sandbox = fixture.vc.run(config("next").build())) {
                assertThat(hasPhase(sandbox, "template.make")).as(file).isTrue();
                assertThat(output(fixture.container(sandbox, "c", "echo", "hello")))
                        .isEqualTo("hello\n");
            }
            try (Sandbox sandbox = fixture.vc.run(config("last").build())) {
                assertThat(hasPhase(sandbox, "template.make")).as(file).isFalse();
            }
        }
    }

    @Test
    void whatCannotBeClonedBootsAndSaysSo() throws Exception {
        try (Sandbox sandbox =
                fixture.vc.run(config("user").network(NetworkConfig.user()).build())) {
            assertThat(hasPhase(sandbox, "template.refused")).isTrue();
            assertThat(output(fixture.container(sandbox, "c", "echo", "hello"))).isEqualTo("hello\n");
        }
    }

    @Test
    void aProcessKilledWhileItMakesATemplateLeavesNothing() throws Exception {
        Process other = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        RunOne.class.getName(),
                        fixture.state.toString())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        Path templates = fixture.state.resolve("templates");
        while (VmFixture.processesWith(templates.toString()).isEmpty()) {
            assertThat(other.isAlive()).isTrue();
            Thread.onSpinWait(); // bounded by the test's timeout
        }
        other.destroyForcibly().waitFor();
        try (VirtContainers next =
                VirtContainers.builder().stateDirectory(fixture.state).open()) {
            assertThat(templates()).isEmpty();
            assertThat(VmFixture.processesWith(templates.toString())).isEmpty();
            assertThat(next.sandboxes()).isEmpty();
            try (Sandbox sandbox = next.run(config("after").build())) {
                assertThat(hasPhase(sandbox, "template.make")).isTrue();
            }
        }
    }

    /** Another Java process that makes a template. */
    static final class RunOne {
        public static void main(String[] arguments) {
            VirtContainers vc = VirtContainers.builder()
                    .stateDirectory(Path.of(arguments[0]))
                    .open();
            Sandbox unused = vc.run(config("other").build());
        }
    }
}
