// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What podman, containerd and Kubernetes need beyond the runtime-spec's commands. As root. */
class EngineNeedsVmTest extends WithCli {
    private Path podContainer(String name, String type, String script) throws IOException {
        return cli.bundle(
                name,
                script,
                json -> json.putObject("annotations")
                        .put("io.kubernetes.cri.container-type", type)
                        .put("io.kubernetes.cri.sandbox-id", "pod"));
    }

    @Test
    void threeContainersOfAPodAreInOneMachine() throws Exception {
        cli.create("pod", podContainer("pod-bundle", "sandbox", "sleep 1000"));
        cli.run("start", "pod").succeeds();
        Path one = cli.create(
                "one",
                podContainer(
                        "one-bundle", "container", "echo one > /dev/shm/x; nc -l -p 80 -e echo hello; sleep 1000"));
        Path two = cli.create(
                "two",
                podContainer(
                        "two-bundle", "container", "until nc 127.0.0.1 80 < /dev/null; do sleep 0.1; done; exit 5"));
        assertThat(one).exists();
        cli.run("start", "one", "two").succeeds();
        Cli.awaitText(two, "hello"); // over the localhost that they share
        assertThat(cli.processes().stream().filter(line -> line.contains("qemu-system")))
                .hasSize(1);
        cli.awaitStatus("two", "stopped");
        assertThat(cli.status("one")).isEqualTo("running");
        cli.run("delete", "two").succeeds();
        cli.run("kill", "one", "KILL").succeeds();
        cli.awaitStatus("one", "stopped");
        assertThat(cli.status("pod")).isEqualTo("running");
        cli.run("kill", "pod", "KILL").succeeds();
        cli.awaitStatus("pod", "stopped");
        cli.run("delete", "pod").succeeds(); // with its machine, and what is left in it
        assertThat(cli.status("one")).isEqualTo("stopped");
        cli.run("delete", "one").succeeds();
        cli.assertNothingLeft();
    }

    @Test
    void aTerminalIsTheEngines() throws Exception {
        Path bundle = cli.bundle(
                "bundle",
                "trap 'stty size' WINCH; tty; stty size; echo ready; while true; do read line && echo got $line; done",
                json -> ((ObjectNode) json.get("process")).put("terminal", true));
        cli.run("create", "--bundle", bundle.toString(), "c").fails("--console-socket is needed");
        try (ConsoleReceiver engine = new ConsoleReceiver(directory)) {
            cli.create("c", bundle, "--console-socket", engine.socket.toString());
            engine.awaitTerminal();
            engine.resize(31, 101);
            cli.run("start", "c").succeeds();
            engine.awaitOutput("/dev/pts/0");
            engine.awaitOutput("31 101");
            engine.awaitOutput("ready");
            engine.write("a line");
            engine.awaitOutput("got a line");
            engine.resize(33, 103);
            engine.awaitOutput("33 103");
            cli.run("kill", "c", "KILL").succeeds();
            cli.awaitStatus("c", "stopped");
        }
    }

    @Test
    void anExecStandsOnTheHostAsAProcess() throws Exception {
        cli.create("c", cli.bundle("sleep 1000"));
        cli.run("start", "c").succeeds();
        JsonNode process = Cli.JSON.readTree(
                "{\"args\": [\"sh\", \"-c\", \"echo $A; trap 'exit 8' TERM; while true; do sleep 0.1; done\"],"
                        + " \"env\": [\"A=b\", \"PATH=/bin\"], \"cwd\": \"/tmp\", \"user\": {\"uid\": 7, \"gid\": 8}}");
        Path file = Files.writeString(directory.resolve("process.json"), process.toString());
        Path pidFile = directory.resolve("exec.pid");
        Path out = directory.resolve("exec.out");
        Process exec = cli.start(
                new File("/dev/null"),
                out.toFile(),
                out.toFile(),
                "exec",
                "--process",
                file.toString(),
                "--detach",
                "--pid-file",
                pidFile.toString(),
                "c");
        assertThat(exec.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(exec.exitValue()).as(Files.readString(out)).isZero();
        Cli.awaitText(out, "b\n");
        ProcessHandle supervisor =
                ProcessHandle.of(Long.parseLong(Files.readString(pidFile))).orElseThrow();
        assertThat(cli.run("ps", "c").succeeds().out()).contains("trap");
        assertThat(supervisor.destroy()).isTrue(); // SIGTERM, which it passes on, as containerd's shim sends it
        supervisor.onExit().get(30, TimeUnit.SECONDS);
        assertThat(cli.run("ps", "c").succeeds().out()).doesNotContain("trap");
        assertThat(cli.run("exec", "--detach", "c", "no-such-program").code()).isEqualTo(1);
    }

    @Test
    void whatIsWrittenToAVolumeIsOnTheHost() throws Exception {
        Path volume = Files.createDirectory(directory.resolve("volume"));
        Files.writeString(volume.resolve("a"), "from the host");
        Path bundle = cli.bundle("bundle", "cat /v/a; echo from the guest > /v/b; echo no > /r/c", json -> {
            mount(json, volume, "/v", "rw");
            mount(json, volume, "/r", "ro");
        });
        Cli.Result run = cli.run("run", "--bundle", bundle.toString(), "c");
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.out()).isEqualTo("from the host");
        assertThat(run.err()).contains("Read-only file system");
        assertThat(volume.resolve("b")).hasContent("from the guest");
        assertThat(volume.resolve("c")).doesNotExist();
    }

    private static void mount(ObjectNode json, Path source, String destination, String mode) {
        json.withArray("mounts")
                .addObject()
                .put("destination", destination)
                .put("type", "bind")
                .put("source", source.toString())
                .putArray("options")
                .add("rbind")
                .add(mode);
    }

    @Test
    void theNamespaceOfTheHostIsRefusedAndAnotherIsTheGuests() throws Exception {
        String name = "kata-" + ProcessHandle.current().pid();
        ip("netns", "add", name);
        try {
            ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", "peer0");
            ip("-n", name, "address", "add", "192.0.2.77/24", "dev", "eth0");
            ip("-n", name, "link", "set", "eth0", "up");
            ip("-n", name, "link", "set", "peer0", "up");
            Path bundle =
                    cli.bundle("bundle", "ip -4 -o address show eth0", json -> network(json, "/run/netns/" + name));
            assertThat(cli.run("run", "--bundle", bundle.toString(), "c")
                            .succeeds()
                            .out())
                    .contains("192.0.2.77/24");
            Path host = cli.bundle(
                    "host",
                    "true",
                    json -> network(json, "/proc/" + ProcessHandle.current().pid() + "/ns/net"));
            cli.run("run", "--bundle", host.toString(), "c").fails("cannot use the network of the host");
            Path none =
                    cli.bundle("none", "true", json -> json.withObject("/linux").putArray("namespaces"));
            cli.run("run", "--bundle", none.toString(), "c").fails("there is no network namespace");
            cli.assertNothingLeft();
        } finally {
            ip("netns", "delete", name);
        }
    }

    static void network(ObjectNode json, String path) {
        json.at("/linux/namespaces").forEach(namespace -> {
            if (namespace.get("type").textValue().equals("network")) {
                ((ObjectNode) namespace).put("path", path);
            }
        });
    }

    static void ip(String... words) throws Exception {
        List<String> line = new ArrayList<>(List.of("ip"));
        line.addAll(List.of(words));
        Process process = new ProcessBuilder(line).inheritIO().start();
        assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).isZero();
    }
}
