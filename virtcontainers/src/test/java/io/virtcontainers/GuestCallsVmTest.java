// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.ContainerRoot;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestDevice;
import io.virtcontainers.spi.GuestSandbox;
import io.virtcontainers.spi.GuestStorage;
import io.virtcontainers.testkit.BusyboxRootFs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Storages, devices, files and what else the guest's agent does beside containers, on one real virtual machine. */
@Tag("vm")
@Timeout(180)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class) // a machine can become a sandbox once
class GuestCallsVmTest {
    private static final GuestPath SANDBOX = GuestPath.of("/run/kata-containers/sandbox");
    private static final GuestStorage MEMORY =
            new GuestStorage("ephemeral", "tmpfs", "tmpfs", List.of("size=1m", "mode=1770"), SANDBOX.resolve("memory"));
    private static final GuestStorage LOCAL =
            new GuestStorage("local", "local", "local", List.of("mode=0707"), SANDBOX.resolve("local"));
    private static final GuestStorage HUGE = new GuestStorage(
            "ephemeral", "nodev", "hugetlbfs", List.of("pagesize=2M", "size=4M"), SANDBOX.resolve("huge"));

    private Path busybox = Path.of("/set-by-boot");
    private RealAgentSession session;
    private Agent agent;
    private int count;

    @BeforeAll
    void boot(@TempDir Path directory) throws IOException {
        Path tree = BusyboxRootFs.create(directory.resolve("busybox"));
        busybox = tree.resolve("bin/busybox");
        Path rootfs = RealBackends.rootfsImage(tree);
        session = new RealAgentSession(Files.createTempDirectory("vct"), rootfs);
        agent = session.connect(0);
        agent.awaitReady(soon());
    }

    @AfterAll
    void end() {
        agent.close();
        session.close();
    }

    private static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(60));
    }

    @Test
    @Order(1)
    void aSandboxWhoseModuleIsMissingIsNotCreated() {
        GuestSandbox sandbox = new GuestSandbox(
                "s",
                "s",
                List.of(),
                List.of(),
                false,
                Optional.empty(),
                List.of(new GuestSandbox.Module("no_such_module", List.of())));
        assertThatThrownBy(() -> agent.createSandbox(sandbox, soon()))
                .isInstanceOf(VirtException.class)
                .hasMessageContaining("no_such_module");
    }

    @Test
    @Order(2)
    void aSandboxWhoseStorageFailsIsNotCreated() {
        GuestStorage outside = new GuestStorage("local", "local", "", List.of(), GuestPath.of("/etc/x"));
        GuestStorage unknown = new GuestStorage("floppy", "a", "", List.of(), SANDBOX.resolve("x"));
        GuestStorage absent = new GuestStorage("scsi", "0:7", "ext4", List.of(), SANDBOX.resolve("x"));
        assertThatThrownBy(() -> agent.createSandbox(with(outside), soon())).isInstanceOf(AgentException.class);
        assertThatThrownBy(() -> agent.createSandbox(with(unknown), soon())).isInstanceOf(UnsupportedException.class);
        assertThatThrownBy(() -> agent.createSandbox(with(MEMORY, absent), soon()))
                .isInstanceOf(VirtException.class)
                .hasMessageContaining("scsi");
    }

    private static GuestSandbox with(GuestStorage... storages) {
        return new GuestSandbox(
                "s",
                "the-host",
                List.of("nameserver 192.0.2.1", "search example.org"),
                List.of(storages),
                true,
                Optional.empty(),
                List.of());
    }

    @Test
    @Order(3)
    void theStoragesOfASandboxAreThereForItsContainers() throws Exception {
        agent.createSandbox(with(MEMORY, LOCAL, HUGE), soon());
        String seen = output(
                List.of(),
                List.of(),
                "",
                "cat /etc/resolv.conf; hostname; stat -c %a /memory /local; echo kept > /memory/file;"
                        + " grep ' /memory\\| /huge' /proc/mounts; grep HugePages_Total /proc/meminfo",
                bind(MEMORY),
                bind(LOCAL),
                bind(HUGE));
        assertThat(seen)
                .contains("nameserver 192.0.2.1\nsearch example.org\nthe-host\n1770\n707\n")
                .containsPattern("tmpfs /memory tmpfs .*size=1024k,mode=1770")
                .containsPattern("/huge hugetlbfs .*pagesize=2M,size=4194304")
                .containsPattern("HugePages_Total: +2\n");
        // The same storage once more, for a container: it is the same mount.
        assertThat(output(List.of(MEMORY), List.of(), "", "cat /memory/file", bind(MEMORY)))
                .isEqualTo("kept\n");
    }

    @Test
    @Order(4)
    void aDiskIsMountedForAContainer() throws Exception {
        String address = session.plugRootfs("further");
        GuestStorage disk = new GuestStorage("blk", address, "erofs", List.of("ro"), SANDBOX.resolve("disk"));
        assertThat(output(
                        List.of(disk), List.of(), "", "ls /disk/bin/busybox; grep ' /disk ' /proc/mounts", bind(disk)))
                .startsWith("/disk/bin/busybox\n")
                .contains(" /disk erofs ro,");
        session.unplugRootfs("further"); // waits until the guest has let go of it
    }

    @Test
    @Order(5)
    void aContainerGetsADiskAsADevice() throws Exception {
        GuestDevice device = new GuestDevice("blk", session.plugRootfs("raw"), "", GuestPath.of("/dev/xda"));
        String devices = """
                "devices": [{"path": "/dev/xda", "type": "b", "major": 7, "minor": 99, "fileMode": 432}],
                "resources": {"devices": [
                  {"allow": false, "access": "rwm"},
                  {"allow": true, "type": "b", "major": 7, "minor": 99, "access": "r"}]},
                """;
        String magicOfErofs = "e2e1f5e0";
        assertThat(output(
                        List.of(),
                        List.of(device),
                        devices,
                        "dd if=/dev/xda bs=1024 skip=1 count=1 2>/dev/null | od -An -tx1 | head -1 | tr -d ' ';"
                                + " stat -c %a /dev/xda; dd if=/dev/zero of=/dev/xda count=1 2>&1 | head -1"))
                .startsWith(magicOfErofs)
                .contains("\n660\n")
                .contains("can't open '/dev/xda'");
        session.unplugRootfs("raw");
    }

    @Test
    @Order(6)
    void aFileOfTheHostIsCopiedWithItsMode(@TempDir Path directory) throws Exception {
        Path file = Files.writeString(directory.resolve("hosts"), "192.0.2.7 seven\n".repeat(100_000));
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r----x"));
        agent.copyFile(file, LOCAL.mountPoint().resolve("hosts"), soon());
        assertThat(output(List.of(), List.of(), "", "stat -c '%a %s' /local/hosts; uniq /local/hosts", bind(LOCAL)))
                .isEqualTo("641 1600000\n192.0.2.7 seven\n");
        assertThatThrownBy(() -> agent.copyFile(file, GuestPath.of("/etc/hosts"), soon()))
                .isInstanceOf(AgentException.class);
        // A container could do this in a shared directory, and wait for the host to write to it.
        output(List.of(), List.of(), "", "ln -s /etc /local/link; ln -s /etc/x /local/y.tmp", bind(LOCAL));
        for (String name : List.of("link/x", "y")) {
            assertThatThrownBy(() -> agent.copyFile(file, GuestPath.of(LOCAL.mountPoint() + "/" + name), soon()))
                    .as(name)
                    .isInstanceOf(AgentException.class);
        }
    }

    @Test
    @Order(7)
    void theClockIsSet() throws Exception {
        Instant then = Instant.parse("2035-01-02T03:04:05Z");
        agent.setTime(then, soon());
        long seen = Long.parseLong(output(List.of(), List.of(), "", "date +%s").strip());
        assertThat(Duration.between(then, Instant.ofEpochSecond(seen)))
                .isBetween(Duration.ofSeconds(-1), Duration.ofMinutes(2));
        agent.setTime(Instant.now(), soon());
    }

    @Test
    @Order(8)
    void randomnessIsRenewed() {
        agent.reseedRandom(soon());
    }

    @Test
    @Order(9)
    void callsAreWrittenToTheConsoleWhileTheyAreTraced() {
        agent.trace(true, soon());
        agent.details(soon());
        agent.trace(false, soon());
        agent.interfaces(soon());
        agent.trace(true, soon());
        agent.trace(false, soon());
        await().untilAsserted(() -> assertThat(session.console())
                .containsPattern("(?s)GetGuestDetails took [^ ]+: OK.*tracing is off.*tracing is on.*tracing is off")
                .doesNotContain("ListInterfaces"));
    }

    @Test
    @Order(9)
    void aKillForWantOfMemoryIsToldWithItsContainer() throws Exception {
        Queue<String> events = new ConcurrentLinkedQueue<>();
        agent.onOutOfMemory(events::add);
        ContainerConfig config = config("", "tail /dev/zero; echo $?")
                .resources(Resources.builder().memoryLimit(MemorySize.mib(16)).build())
                .build();
        assertThat(output(config, List.of(), List.of())).isEqualTo("137\n");
        await().untilAsserted(() -> assertThat(events).contains(config.id()));
    }

    /** The machine has no card: routes and neighbours of the loopback interface, which itself is not to be configured. */
    @Test
    @Order(9)
    void routesAndNeighboursAreSet() {
        assertThat(agent.interfaces(soon()))
                .filteredOn(found -> found.name().equals("lo"))
                .singleElement()
                .satisfies(lo -> assertThat(lo.addresses()).contains("127.0.0.1/8"));
        GuestInterface loopback = new GuestInterface("", "lo", List.of(), 9000, "00:00:00:00:00:00", false);
        assertThatThrownBy(() -> agent.updateInterface(loopback, soon())).isInstanceOf(NotFoundException.class);
        GuestRoute route = new GuestRoute("198.51.100.0/24", "", "lo", "127.0.0.1", 253);
        assertThat(agent.updateRoutes(List.of(route), soon())).contains(route).isEqualTo(agent.routes(soon()));
        agent.addNeighbors(List.of(new GuestNeighbor("198.51.100.7", "lo", "02:00:00:00:00:07", 0x80, 0)), soon());
        assertThatThrownBy(() -> agent.addNeighbors(
                        List.of(new GuestNeighbor("198.51.100.7", "eth7", "02:00:00:00:00:07", 0x80, 0)), soon()))
                .isInstanceOf(VirtException.class);
        assertThat(agent.updateRoutes(List.of(), soon())).doesNotContain(route);
    }

    @Test
    @Order(9)
    void containersShareThePidNamespaceOfTheSandbox() throws Exception {
        assertThat(output(List.of(), List.of(), "", "cat /proc/1/cmdline")).startsWith("cat\0");
        ContainerConfig shared =
                config("", "cat /proc/1/cmdline").sharedPidNamespace(true).build();
        assertThat(output(shared, List.of(), List.of())).startsWith("virtcontainers-pause");
    }

    /** The agent's directory has no shell: busybox is the hook, and the name of its file says what it does. */
    @Test
    @Order(10)
    void aHookThatFailsPreventsTheCreationOfAContainer() throws Exception {
        GuestPath hooks = GuestPath.of("/run/kata-containers/hooks");
        GuestSandbox hooked = new GuestSandbox("s", "s", List.of(), List.of(), false, Optional.of(hooks), List.of());
        agent.destroySandbox(soon());
        agent.copyFile(busybox, hooks.resolve("prestart").resolve("true"), soon());
        agent.createSandbox(hooked, soon());
        assertThat(output(List.of(), List.of(), "", "echo started")).isEqualTo("started\n");
        agent.destroySandbox(soon());
        agent.copyFile(busybox, hooks.resolve("prestart").resolve("false"), soon());
        agent.createSandbox(hooked, soon());
        ContainerConfig config = config("", "echo started").build();
        String disk = session.plugRootfs("hooked");
        assertThatThrownBy(() -> agent.createContainer(config, disk, soon()))
                .isInstanceOf(VirtException.class)
                .hasMessageContaining("prestart/false");
        session.unplugRootfs("hooked");
    }

    private static String bind(GuestStorage storage) {
        String name = storage.mountPoint().value().substring(SANDBOX.value().length());
        return "{\"destination\": \"%s\", \"type\": \"bind\", \"source\": \"%s\", \"options\": [\"rbind\"]}"
                .formatted(name, storage.mountPoint());
    }

    private ContainerConfig.Builder config(String linux, String script, String... mounts) {
        String spec = """
                {
                  "ociVersion": "1.0.2",
                  "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}%s],
                  "linux": {%s "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]}
                }
                """.formatted(
                        List.of(mounts).stream().map(mount -> ", " + mount).collect(Collectors.joining()), linux);
        return ContainerConfig.builder("c" + ++count)
                .rootfs(RootFs.image(Path.of("/the-session-knows")))
                .spec(spec)
                .command("sh", "-c", script);
    }

    private String output(
            List<GuestStorage> storages, List<GuestDevice> devices, String linux, String script, String... mounts)
            throws IOException {
        return output(config(linux, script, mounts).build(), storages, devices);
    }

    /** Runs a container to its end, removes it, and gives back what it wrote. */
    private String output(ContainerConfig config, List<GuestStorage> storages, List<GuestDevice> devices)
            throws IOException {
        String disk = "root-" + config.id();
        ContainerRoot root = ContainerRoot.layered(config.id(), "blk", session.plugRootfs(disk));
        agent.createContainer(config, root, storages, List.of(), devices, soon());
        agent.startContainer(config.id(), soon());
        GuestProcess init = agent.process(config.id(), config.id(), false);
        String text = new String(init.stdout().readAllBytes(), UTF_8);
        init.waitFor(Duration.ofSeconds(60));
        agent.removeContainer(config.id(), soon());
        session.unplugRootfs(disk);
        return text;
    }
}
