// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.output;
import static io.virtcontainers.VmFixture.shell;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.hash.Hashing;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.function.UnaryOperator;
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
            random.add(shell(container, "cat /proc/sys/kernel/random/boot_id"));
        }
        assertThat(new HashSet<>(random)).hasSize(3 * CLONES);
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
    void clonesOfOneTemplateGrowToWhatEachIsToHave() throws Exception {
        HypervisorConfig canGrow = HypervisorConfig.builder()
                .machine(MachineConfig.builder().maxVcpus(3).build())
                .memory(GuestMemoryConfig.builder().max(MemorySize.mib(768)).build())
                .build();
        SandboxConfig base = config("base").hypervisor(canGrow).build();
        Template unused = fixture.vc.templates().init(base);
        for (int i = 0; i < 3; i++) {
            int vcpus = i + 1;
            int mib = 256 + i * 128;
            Sandbox sandbox = fixture.vc.run(config("size" + i)
                    .hypervisor(canGrow)
                    .vcpus(vcpus)
                    .memory(MemorySize.mib(mib))
                    .build());
            assertThat(hasPhase(sandbox, "template.make")).isFalse();
            assertThat(hasPhase(sandbox, "clone.grow")).isEqualTo(i > 0);
            Container container = container(sandbox);
            assertThat(shell(container, "nproc")).isEqualTo(Integer.toString(vcpus));
            long total = Long.parseLong(shell(container, "awk '/MemTotal/ {print $2}' /proc/meminfo")) >> 10;
            assertThat(total).isBetween(mib - 80L, (long) mib);
            assertThat(shell(container, "hostname")).isEqualTo("size" + i);
        }
        assertThat(templates()).hasSize(1);
        assertThatThrownBy(() -> fixture.vc.sandbox("size2").snapshot())
                .isInstanceOf(UnsupportedException.class)
                .hasMessageContaining("template(false)");
        Sandbox odd = fixture.vc.run(
                config("odd").hypervisor(canGrow).memory(MemorySize.mib(300)).build());
        assertThat(hasPhase(odd, "template.make"))
                .as("300 MiB cannot be reached by whole blocks")
                .isTrue();
    }

    @Test
    void aPoolServesLeasesOfSeveralSizes() throws Exception {
        HypervisorConfig canGrow = HypervisorConfig.builder()
                .machine(MachineConfig.builder().maxVcpus(2).build())
                .memory(GuestMemoryConfig.builder().max(MemorySize.mib(512)).build())
                .build();
        try (SandboxPool pool =
                fixture.vc.pool(config("pool").hypervisor(canGrow).build(), 1, 2)) {
            for (int vcpus = 1; vcpus <= 2; vcpus++) {
                Sandbox leased = pool.lease(VmFixture.SOON);
                leased.resize(vcpus, MemorySize.mib(128 + vcpus * 128));
                Container container = container(leased);
                assertThat(shell(container, "nproc")).isEqualTo(Integer.toString(vcpus));
            }
        }
    }

    @Test
    void clonesHaveUserNetworksWithAddressesOfTheirOwn() throws Exception {
        List<String> addresses = new ArrayList<>();
        try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            for (int i = 0; i < 2; i++) {
                Sandbox sandbox = fixture.vc.run(
                        config("net" + i).network(NetworkConfig.user()).build());
                assertThat(hasPhase(sandbox, "template.refused")).isFalse();
                Container container = container(sandbox);
                assertThat(shell(container, "ip -o -4 addr show eth0")).contains("inet 10.0.2.15/24");
                assertThat(shell(container, "cat /etc/resolv.conf")).isEqualTo("nameserver 10.0.2.3");
                addresses.add(shell(container, "cat /sys/class/net/eth0/address"));
                GuestProcess client = container.exec(
                        ProcessConfig.of("sh", "-c", "nc -w 30 10.0.2.2 " + server.getLocalPort() + " </dev/null"));
                try (Socket accepted = server.accept()) {
                    accepted.getOutputStream().write("from the host\n".getBytes(StandardCharsets.US_ASCII));
                }
                assertThat(output(client)).isEqualTo("from the host\n");
            }
        }
        assertThat(addresses).doesNotHaveDuplicates().allMatch(address -> address.startsWith("02:"));
        assertThat(templates()).hasSize(1);
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
            VmFixture.flipBit(touched);
            Template told = fixture.vc.templates().list().get(0);
            assertThat(told.problem()).as(file).isPresent();
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

    /** Rewrites the manifest, as if the files had been written so. */
    private void forge(UnaryOperator<String> change) throws IOException {
        Path manifest = templates().get(0).resolve("manifest");
        String text = Files.readString(manifest);
        String changed = change.apply(text.substring(0, text.lastIndexOf("manifest ")));
        String checksum =
                Hashing.sha256().hashString(changed, StandardCharsets.UTF_8).toString();
        Files.writeString(manifest, changed + "manifest " + checksum + "\n");
    }

    private void nextMakesItAnew() {
        for (boolean made : new boolean[] {true, false}) {
            try (Sandbox sandbox = fixture.vc.run(config("next").build())) {
                assertThat(hasPhase(sandbox, "template.make")).isEqualTo(made);
                assertThat(sandbox.status().guestAnswers()).isTrue();
            }
        }
    }

    @Test
    void oneBitOfMemoryIsSeenThoughTheFileLooksUntouched() throws Exception {
        fixture.vc.run(config("first").build()).close();
        Path memory = templates().get(0).resolve("memory");
        Object before = Files.getAttribute(memory, "unix:ctime");
        VmFixture.flipBit(memory);
        Object after = Files.getAttribute(memory, "unix:ctime");
        forge(text -> text.replace(before.toString(), after.toString()));
        assertThat(fixture.vc.templates().list().get(0).problem()).hasValue("its memory is not what was written");
        nextMakesItAnew();
    }

    @Test
    void whatAnotherQemuSavedIsRefused() throws Exception {
        fixture.vc.run(config("first").build()).close();
        assertThat(fixture.vc.templates().list().get(0).hypervisor()).startsWith("QEMU ");
        forge(text -> text.replaceFirst("QEMU [0-9]+", "QEMU 2"));
        assertThat(fixture.vc.templates().list().get(0).hypervisor()).startsWith("QEMU 2.");
        nextMakesItAnew();
        assertThat(fixture.vc.templates().list().get(0).hypervisor()).doesNotStartWith("QEMU 2.");
        forge(text -> text.replaceFirst("format .*", "format 1"));
        nextMakesItAnew();
    }

    @Test
    void theFactoryMakesListsAndDestroysTemplates() throws Exception {
        TemplateFactory factory = fixture.vc.templates();
        assertThat(factory.list()).isEmpty();
        Template made = factory.init(config("any").build());
        assertThat(factory.init(config("other").build()).id()).isEqualTo(made.id());
        assertThat(factory.list()).extracting(Template::id).containsExactly(made.id());
        assertThat(made.problem()).isEmpty();
        assertThat(made.size().bytes()).isBetween(10L << 20, 256L << 20);
        Template larger =
                factory.init(config("large").memory(MemorySize.mib(320)).build());
        assertThat(factory.list()).extracting(Template::id).containsExactly(larger.id(), made.id());
        Sandbox clone = fixture.vc.run(config("clone").build());
        assertThat(hasPhase(clone, "template.make")).isFalse();
        factory.destroy(made.id());
        factory.destroy(made.id());
        assertThat(output(fixture.container(clone, "c", "echo", "lives"))).isEqualTo("lives\n");
        assertThat(factory.list()).extracting(Template::id).containsExactly(larger.id());
        assertThatThrownBy(() -> factory.destroy("../sandboxes")).isInstanceOf(InvalidConfigException.class);
        assertThatThrownBy(() -> factory.init(config("iommu")
                        .hypervisor(HypervisorConfig.builder()
                                .machine(MachineConfig.builder().iommu(true).build())
                                .build())
                        .build()))
                .isInstanceOf(UnsupportedException.class)
                .hasMessageContaining("an IOMMU");
    }

    @Test
    void whatCannotBeClonedBootsAndSaysSo() throws Exception {
        GuestMemoryConfig memory = GuestMemoryConfig.builder().preallocate(true).build();
        try (Sandbox sandbox = fixture.vc.run(config("direct")
                .hypervisor(HypervisorConfig.builder().memory(memory).build())
                .build())) {
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
