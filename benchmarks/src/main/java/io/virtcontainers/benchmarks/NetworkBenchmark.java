// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.NetworkConfig;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.Signal;
import io.virtcontainers.VirtContainers;
import java.io.IOException;
import java.io.InputStream;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * TCP from a container to this process over a namespace that is wired by tcfilter, against QEMU's user network, in two
 * machines in turn. Needs root. Usage: {@code NetworkBenchmark ROOTFS [MIB [ROUNDS]]}.
 */
public final class NetworkBenchmark {
    private static final int MIB = 16;
    private static final int ROUNDS = 7;
    private static final int BUFFER = 1 << 16;
    private static final int PATIENCE_MILLIS = 30_000;

    private NetworkBenchmark() {}

    public static void main(String[] args) throws Exception {
        int mib = args.length > 1 ? Integer.parseInt(args[1]) : MIB;
        int rounds = args.length > 2 ? Integer.parseInt(args[2]) : ROUNDS;
        Report report = new Report(
                "network",
                mib + " MiB by TCP from a container to the host, in two machines in turn, from the first byte to the"
                        + " last. No code of the library is in these paths.");
        NetworkConfig veth = new NetworkConfig.Veth(List.of("10.114.0.2/24"), List.of("10.114.0.1/24"), List.of());
        RootFs rootfs = RootFs.directory(Path.of(args[0]));
        try (VirtContainers vc = VirtContainers.open();
                ServerSocket server = new ServerSocket(0);
                Sandbox wiredSandbox =
                        vc.run(SandboxConfig.builder("wired").network(veth).build());
                Sandbox userSandbox = vc.run(SandboxConfig.builder("user")
                        .network(NetworkConfig.user())
                        .build())) {
            server.setSoTimeout(PATIENCE_MILLIS);
            Container inWired = container(wiredSandbox, rootfs);
            Container inUser = container(userSandbox, rootfs);
            List<Double> wired = new ArrayList<>();
            List<Double> user = new ArrayList<>();
            for (int i = 0; i < rounds; i++) {
                wired.add(throughput(inWired, server, "10.114.0.1", mib));
                user.add(throughput(inUser, server, "10.0.2.2", mib));
            }
            report.add(Figure.of("network: TCP to the host over tcfilter", "MiB/s", wired)
                    .against("over QEMU's user network", user));
        }
        report.write();
    }

    private static Container container(Sandbox sandbox, RootFs rootfs) {
        Container container = sandbox.createContainer(ContainerConfig.builder("c")
                .rootfs(rootfs)
                .command("sleep", "1000000")
                .build());
        container.start();
        return container;
    }

    private static Socket accept(ServerSocket server, GuestProcess process) throws IOException {
        try {
            return server.accept();
        } catch (SocketTimeoutException e) {
            process.signal(Signal.KILL);
            throw new IllegalStateException(
                    "the guest did not connect: "
                            + new String(process.stderr().readAllBytes(), StandardCharsets.US_ASCII),
                    e);
        }
    }

    private static double throughput(Container container, ServerSocket server, String address, int mib)
            throws IOException {
        GuestProcess process = container.exec(ProcessConfig.of(
                "sh",
                "-c",
                "dd if=/dev/zero bs=1M count=" + mib + " 2> /dev/null | nc " + address + " " + server.getLocalPort()));
        long bytes = 0;
        long start;
        try (Socket client = accept(server, process)) {
            client.setSoTimeout(PATIENCE_MILLIS);
            InputStream in = client.getInputStream();
            byte[] buffer = new byte[BUFFER];
            bytes += in.read(buffer);
            start = System.nanoTime();
            while (bytes < (long) mib << 20) {
                int count = in.read(buffer);
                if (count < 0) {
                    throw new IllegalStateException("the connection ended after " + bytes + " bytes");
                }
                bytes += count;
            }
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        process.waitFor(Duration.ofMinutes(1));
        return mib / seconds;
    }
}
