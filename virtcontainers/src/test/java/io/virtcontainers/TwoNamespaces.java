// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Two network namespaces of the host with a link between them: one as a CNI plugin leaves it for a sandbox (10.111.0.2,
 * fd11::2), and one with servers and clients (10.111.0.1, fd11::1). Needs root.
 */
final class TwoNamespaces implements AutoCloseable {
    private static final int SECONDS = 20;

    private final String ours = "vct-s-" + ProcessHandle.current().pid();
    private final String others = "vct-o-" + ProcessHandle.current().pid();

    TwoNamespaces() throws IOException, InterruptedException {
        try {
            run("ip", "netns", "add", ours);
            run("ip", "netns", "add", others);
            run(
                    "ip",
                    "-n",
                    ours,
                    "link",
                    "add",
                    "eth0",
                    "address",
                    "02:00:00:00:0a:02",
                    "type",
                    "veth",
                    "peer",
                    "name",
                    "peer0",
                    "netns",
                    others);
            for (String[] side : new String[][] {{ours, "eth0", "2"}, {others, "peer0", "1"}}) {
                run("ip", "-n", side[0], "link", "set", "lo", "up");
                run("ip", "-n", side[0], "link", "set", side[1], "mtu", "1400", "up");
                run("ip", "-n", side[0], "address", "add", "10.111.0." + side[2] + "/24", "dev", side[1]);
                run("ip", "-n", side[0], "address", "add", "fd11::" + side[2] + "/64", "dev", side[1], "nodad");
            }
            run("ip", "-n", ours, "route", "add", "10.222.0.0/16", "via", "10.111.0.1");
            run(
                    "ip",
                    "-n",
                    ours,
                    "neigh",
                    "add",
                    "10.111.0.77",
                    "lladdr",
                    "02:00:00:00:00:77",
                    "dev",
                    "eth0",
                    "nud",
                    "permanent");
        } catch (IOException | InterruptedException | RuntimeException e) {
            close();
            throw e;
        }
    }

    private static String run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), UTF_8);
        if (!process.waitFor(SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
            throw new IllegalStateException(String.join(" ", command) + ": " + output);
        }
        return output;
    }

    Path sandbox() {
        return Path.of("/run/netns", ours);
    }

    /** All that there is in the sandbox's namespace, without what the kernel has still to check. */
    List<String> description() throws IOException, InterruptedException {
        List<String> all = new ArrayList<>();
        for (String what : List.of("link", "address", "route", "-6 route", "neigh show nud permanent")) {
            List<String> command = new ArrayList<>(List.of("ip", "-o", "-n", ours));
            command.addAll(List.of(what.split(" ")));
            all.addAll(run(command.toArray(String[]::new))
                    .lines()
                    .map(line -> line.replace(" tentative", ""))
                    .sorted()
                    .toList());
        }
        all.add(run("tc", "-n", ours, "qdisc", "show"));
        return all;
    }

    void addIngressQdisc() throws IOException, InterruptedException {
        run("tc", "-n", ours, "qdisc", "add", "dev", "eth0", "ingress");
    }

    /** A second link between both, as a CNI plugin adds it later: 10.112.0.2 and 10.112.0.1. */
    void addSecondLink() throws IOException, InterruptedException {
        run("ip", "-n", ours, "link", "add", "eth1", "type", "veth", "peer", "name", "peer1", "netns", others);
        for (String[] side : new String[][] {{ours, "eth1", "2"}, {others, "peer1", "1"}}) {
            run("ip", "-n", side[0], "link", "set", side[1], "up");
            run("ip", "-n", side[0], "address", "add", "10.112.0." + side[2] + "/24", "dev", side[1]);
        }
        run("ip", "-n", ours, "route", "add", "10.223.0.0/16", "via", "10.112.0.1");
    }

    void removeTaps() throws IOException, InterruptedException {
        for (String line : run("ip", "-o", "-n", ours, "tuntap").lines().toList()) {
            run("ip", "-n", ours, "link", "delete", "dev", line.split(":", 2)[0]);
        }
    }

    private List<String> inOther(String... command) {
        return Stream.concat(Stream.of("nsenter", "--net=/run/netns/" + others, "busybox"), Stream.of(command))
                .toList();
    }

    /** A server in the other namespace that says a line to each client. */
    Server serve(int port) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(inOther(
                        "nc", "-ll", "-p", Integer.toString(port), "-e", "/bin/echo", "from-the-other-namespace"))
                .redirectErrorStream(true)
                .start();
        Server server = new Server(process);
        while (!run("ss", "-N", others, "-Hltn", "sport", "=", Integer.toString(port))
                .contains("LISTEN")) {
            TimeUnit.MILLISECONDS.sleep(20); // bounded by the test's timeout
        }
        return server;
    }

    record Server(Process process) implements AutoCloseable {
        @Override
        public void close() throws InterruptedException {
            int unused = process.destroyForcibly().waitFor();
        }
    }

    /** What a server says to a client in the other namespace. */
    String ask(String address, int port) throws IOException, InterruptedException {
        while (true) { // bounded by the test's timeout
            Process client = new ProcessBuilder(inOther("nc", "-w", "5", address, Integer.toString(port))).start();
            client.getOutputStream().close();
            String answer = new String(client.getInputStream().readAllBytes(), UTF_8).strip();
            int unused = client.waitFor();
            if (!answer.isEmpty()) {
                return answer;
            }
        }
    }

    @Override
    public void close() throws IOException, InterruptedException {
        String names = run("ip", "netns", "list");
        for (String name : List.of(ours, others)) {
            if (names.contains(name)) {
                run("ip", "netns", "delete", name);
            }
        }
    }
}
