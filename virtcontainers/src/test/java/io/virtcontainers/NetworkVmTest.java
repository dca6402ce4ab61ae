// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.shell;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Sandboxes with networks: what their containers reach, what reaches them, and what is left of it. Namespaces need root. */
@Tag("vm")
@Timeout(180)
class NetworkVmTest {
    private static final String SERVE = "while true; do nc -l -p 80 -e echo from-the-container; done";

    @TempDir
    Path directory;

    private VmFixture fixture;
    private final ExecutorService threads = Executors.newCachedThreadPool();

    @BeforeEach
    void open() throws IOException {
        fixture = new VmFixture(directory);
    }

    @AfterEach
    void close() throws IOException {
        fixture.close();
        threads.shutdownNow();
    }

    private Sandbox run(NetworkConfig network) {
        return fixture.vc.run(SandboxConfig.builder("net")
                .vcpus(2) // so a card in a namespace has two queues
                .memory(MemorySize.mib(256))
                .network(network)
                .build());
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    /** What a server says to whoever connects; the guest may still be about to listen. */
    private static String read(InetSocketAddress address) throws IOException, InterruptedException {
        while (true) {
            try (Socket socket = new Socket()) {
                socket.connect(address, 10_000);
                socket.setSoTimeout(10_000);
                String text = new String(socket.getInputStream().readAllBytes(), US_ASCII).strip();
                if (!text.isEmpty()) {
                    return text;
                }
            } catch (IOException notYet) {
                Thread.onSpinWait(); // bounded by the test's timeout
            }
            TimeUnit.MILLISECONDS.sleep(50);
        }
    }

    @Test
    void theUserNetworkReachesTheHostAndIsReachedByForwards() throws Exception {
        int port = freePort();
        Sandbox sandbox = run(NetworkConfig.user(NetworkConfig.PortForward.tcp(port, 80)));
        Container container = fixture.container(sandbox, "c", "sh", "-c", SERVE);
        container.start();
        assertThat(shell(container, "ip -o -4 addr show eth0")).contains("inet 10.0.2.15/24");
        assertThat(shell(container, "ip route")).contains("default via 10.0.2.2 dev eth0");
        assertThat(shell(container, "cat /etc/resolv.conf")).isEqualTo("nameserver 10.0.2.3");
        assertThat(read(new InetSocketAddress(InetAddress.getLoopbackAddress(), port)))
                .isEqualTo("from-the-container");
        try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Void> served = CompletableFuture.runAsync(
                    () -> {
                        try (Socket client = server.accept()) {
                            client.getOutputStream().write("from the host\n".getBytes(US_ASCII));
                        } catch (IOException e) {
                            throw new java.io.UncheckedIOException(e);
                        }
                    },
                    threads);
            assertThat(shell(container, "nc -w 10 10.0.2.2 " + server.getLocalPort() + " </dev/null"))
                    .isEqualTo("from the host");
            served.get(10, TimeUnit.SECONDS);
        }
        sandbox.close();
        try (ServerSocket free = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
            assertThat(free.getLocalPort()).isEqualTo(port);
        }
    }

    @Test
    void withoutANetworkThereIsNoCard() throws IOException {
        Sandbox sandbox = run(NetworkConfig.none());
        Container container = fixture.container(sandbox, "c", "sleep", "1000");
        container.start();
        assertThat(shell(container, "ls /sys/class/net")).isEqualTo("lo");
    }

    @Test
    void aTakenPortIsToldBeforeTheGuestIsUp() throws IOException {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            NetworkConfig network = NetworkConfig.user(NetworkConfig.PortForward.tcp(taken.getLocalPort(), 80));
            assertThatThrownBy(() -> run(network))
                    .isInstanceOf(HypervisorException.class)
                    .hasMessageContaining("Could not set up host forwarding rule")
                    .hasMessageContaining(Integer.toString(taken.getLocalPort()));
        }
        assertThat(fixture.vc.sandboxes()).isEmpty();
    }

    @Test
    void whatIsNoNamespaceIsRefused() {
        assertThatThrownBy(() -> run(NetworkConfig.namespace(directory)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("is no network namespace");
        assertThat(fixture.vc.sandboxes()).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(NetworkModel.class)
    void aNamespaceIsWiredAndIsAfterwardsAsItWas(NetworkModel model) throws Exception {
        try (TwoNamespaces host = new TwoNamespaces()) {
            List<String> before = host.description();
            Sandbox sandbox = run(new NetworkConfig.Namespace(host.sandbox(), model, List.of("nameserver 10.9.9.9")));
            Container container = fixture.container(sandbox, "c", "sh", "-c", SERVE);
            container.start();
            assertThat(shell(container, "ip addr show eth0"))
                    .contains("mtu 1400", "link/ether 02:00:00:00:0a:02", "inet 10.111.0.2/24", "inet6 fd11::2/64");
            assertThat(shell(container, "ip route")).contains("10.222.0.0/16 via 10.111.0.1 dev eth0");
            assertThat(shell(container, "ip neigh")).contains("10.111.0.77").contains("02:00:00:00:00:77");
            assertThat(shell(container, "cat /etc/resolv.conf")).isEqualTo("nameserver 10.9.9.9");
            assertThat(shell(container, "ls /sys/class/net/eth0/queues")).contains("rx-1", "tx-1");
            for (String server : List.of("10.111.0.1", "fd11::1")) {
                try (TwoNamespaces.Server unused = host.serve(5000)) {
                    assertThat(shell(container, "nc -w 10 " + server + " 5000 </dev/null"))
                            .isEqualTo("from-the-other-namespace");
                }
            }
            for (String guest : List.of("10.111.0.2", "fd11::2")) {
                assertThat(host.ask(guest, 80)).isEqualTo("from-the-container");
            }
            assertThat(host.description()).isNotEqualTo(before);
            sandbox.stop();
            assertThat(host.description()).isEqualTo(before);
            sandbox.start();
            sandbox.delete();
            assertThat(host.description()).isEqualTo(before);
        }
    }

    @Test
    void aNamespaceWithFiltersOfSomebodyElseIsRefusedAndLeftAlone() throws Exception {
        try (TwoNamespaces host = new TwoNamespaces()) {
            host.addIngressQdisc();
            List<String> before = host.description();
            assertThatThrownBy(() -> run(NetworkConfig.namespace(host.sandbox())))
                    .isInstanceOf(HostSetupException.class)
                    .hasMessageContaining("its link eth0 has an ingress qdisc already");
            assertThat(fixture.vc.sandboxes()).isEmpty();
            assertThat(host.description()).isEqualTo(before);
        }
    }

    @Test
    void aNamespaceThatVanishesDoesNotHinderTheEnd() throws Exception {
        Sandbox sandbox;
        try (TwoNamespaces host = new TwoNamespaces()) {
            sandbox = run(NetworkConfig.namespace(host.sandbox()));
        }
        sandbox.delete();
        assertThat(fixture.vc.sandboxes()).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(NetworkModel.class)
    void aLinkThatCameLaterIsPluggedInAndOut(NetworkModel model) throws Exception {
        try (TwoNamespaces host = new TwoNamespaces()) {
            Sandbox sandbox = run(new NetworkConfig.Namespace(host.sandbox(), model, List.of()));
            Container container = fixture.container(sandbox, "c", "sh", "-c", SERVE);
            container.start();
            assertThatThrownBy(() -> sandbox.addDevice(new Device.Link("second", "eth1")))
                    .isInstanceOf(InvalidConfigException.class)
                    .hasMessageContaining("eth1");
            host.addSecondLink();
            List<String> before = host.description();
            for (int round = 0; round < 3; round++) {
                assertThat(sandbox.addDevice(new Device.Link("second", "eth1"))).isEqualTo("eth1");
                assertThat(shell(container, "ip addr show eth1")).contains("inet 10.112.0.2/24");
                assertThat(shell(container, "ip route"))
                        .contains("10.223.0.0/16 via 10.112.0.1 dev eth1", "10.222.0.0/16 via 10.111.0.1 dev eth0");
                try (TwoNamespaces.Server unused = host.serve(5001)) {
                    assertThat(shell(container, "nc -w 10 10.112.0.1 5001 </dev/null"))
                            .isEqualTo("from-the-other-namespace");
                }
                assertThat(host.ask("10.112.0.2", 80)).isEqualTo("from-the-container");
                sandbox.removeDevice("second");
                assertThat(shell(container, "ls /sys/class/net")).doesNotContain("eth1");
                assertThat(host.description()).isEqualTo(before);
            }
            String unused = sandbox.addDevice(new Device.Link("second", "eth1"));
            sandbox.delete();
            assertThat(host.description())
                    .noneMatch(line -> line.matches(".* vc[0-9]+[:@].*") || line.contains("ingress"));
        }
    }

    @Test
    void cardsWithAUserNetworkArePluggedIn() throws Exception {
        Sandbox sandbox = run(NetworkConfig.none());
        Container container = fixture.container(sandbox, "c", "sh", "-c", SERVE);
        container.start();
        int port = freePort();
        var forwards = List.of(NetworkConfig.PortForward.tcp(port, 80));
        assertThat(sandbox.addDevice(new Device.UserNetwork("first", forwards))).isEqualTo("eth0");
        assertThat(sandbox.addDevice(new Device.UserNetwork("second", List.of())))
                .isEqualTo("eth1");
        assertThat(shell(container, "ip -o -4 addr show eth0")).contains("inet 10.0.3.15/24");
        assertThat(shell(container, "ip -o -4 addr show eth1")).contains("inet 10.0.4.15/24");
        assertThat(shell(container, "ip route")).contains("default via 10.0.3.2 dev eth0");
        assertThat(read(new InetSocketAddress(InetAddress.getLoopbackAddress(), port)))
                .isEqualTo("from-the-container");
        assertThatThrownBy(() -> sandbox.addDevice(new Device.UserNetwork("third", forwards)))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("host forwarding");
        sandbox.removeDevice("first");
        assertThat(shell(container, "ls /sys/class/net")).contains("eth1").doesNotContain("eth0");
        try (ServerSocket free = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
            assertThat(free.getLocalPort()).isEqualTo(port);
        }
    }

    @Test
    void aNetworkOfItsOwnIsMadeAndRemoved() throws Exception {
        String before = GuestDisks.run("ip", "-o", "link");
        String namespaces = GuestDisks.run("ip", "netns");
        Sandbox sandbox = run(new NetworkConfig.Veth(
                List.of("10.113.0.2/24", "fd13::2/64"), List.of("10.113.0.1/24", "fd13::1/64"), List.of()));
        Container container = fixture.container(sandbox, "c", "sh", "-c", SERVE);
        container.start();
        assertThat(shell(container, "ip route")).contains("default via 10.113.0.1 dev eth0");
        assertThat(read(new InetSocketAddress("10.113.0.2", 80))).isEqualTo("from-the-container");
        assertThat(read(new InetSocketAddress("fd13::2", 80))).isEqualTo("from-the-container");
        sandbox.stop();
        assertThat(GuestDisks.run("ip", "-o", "link")).isEqualTo(before);
        assertThat(GuestDisks.run("ip", "netns")).isEqualTo(namespaces);
        sandbox.start();
        sandbox.delete();
        assertThat(GuestDisks.run("ip", "-o", "link")).isEqualTo(before);
        assertThatThrownBy(() ->
                        run(new NetworkConfig.Veth(List.of("10.113.0.2/24"), List.of("10.113.0.1/99"), List.of())))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("10.113.0.1/99");
        assertThat(GuestDisks.run("ip", "-o", "link")).isEqualTo(before);
        assertThat(GuestDisks.run("ip", "netns")).isEqualTo(namespaces);
    }

    @Test
    void aTapThatIsRemovedCostsTheNetworkOnly() throws Exception {
        try (TwoNamespaces host = new TwoNamespaces()) {
            List<String> before = host.description();
            Sandbox sandbox = run(NetworkConfig.namespace(host.sandbox()));
            Container container = fixture.container(sandbox, "c", "sleep", "1000");
            container.start();
            host.removeTaps();
            assertThat(shell(container, "echo alive")).isEqualTo("alive");
            sandbox.delete();
            assertThat(host.description()).isEqualTo(before);
        }
    }

    @Test
    void aCrashedProcessLeavesTheNamespaceToTheNextOne() throws Exception {
        try (TwoNamespaces host = new TwoNamespaces()) {
            List<String> before = host.description();
            Process other = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-cp",
                            System.getProperty("java.class.path"),
                            RunAndWait.class.getName(),
                            fixture.state.toString(),
                            host.sandbox().toString())
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            try {
                assertThat(other.inputReader().lines().anyMatch("running"::equals))
                        .isTrue();
                assertThat(host.description()).isNotEqualTo(before);
            } finally {
                other.destroyForcibly().waitFor();
            }
            try (VirtContainers next =
                    VirtContainers.builder().stateDirectory(fixture.state).open()) {
                assertThat(next.sandboxes()).isEmpty();
                assertThat(host.description()).isEqualTo(before);
            }
        }
    }

    /** Another Java process with a sandbox in a namespace. */
    static final class RunAndWait {
        public static void main(String[] arguments) throws InterruptedException {
            VirtContainers vc = VirtContainers.builder()
                    .stateDirectory(Path.of(arguments[0]))
                    .open();
            Sandbox unused = vc.run(SandboxConfig.builder("crash")
                    .memory(MemorySize.mib(256))
                    .network(NetworkConfig.namespace(Path.of(arguments[1])))
                    .build());
            System.out.println("running");
            Thread.sleep(Long.MAX_VALUE);
        }
    }
}
