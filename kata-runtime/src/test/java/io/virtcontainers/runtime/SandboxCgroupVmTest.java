// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The cgroup of the host that an engine asks for, of the version that this host has. As root. */
class SandboxCgroupVmTest extends WithCli {
    private static final Path MOUNT = Path.of("/sys/fs/cgroup");
    private static final boolean UNIFIED = Files.exists(MOUNT.resolve("cgroup.controllers"));
    private static final String PARENT = "/vcrun-" + ProcessHandle.current().pid();

    @AfterEach
    @Override
    void close() throws IOException, InterruptedException {
        super.close();
        for (Path parent : groups("")) {
            Files.delete(parent);
        }
    }

    /** What the hierarchies have below our group. */
    private static List<Path> groups(String name) throws IOException {
        String path = (PARENT + "/" + name).substring(1);
        try (Stream<Path> controllers = Files.list(MOUNT)) {
            return Stream.concat(Stream.of(MOUNT), controllers)
                    .map(controller -> controller.resolve(path))
                    .filter(Files::isDirectory)
                    .toList();
        }
    }

    private static Path file(String controller, String group, String old, String unified) {
        return UNIFIED
                ? MOUNT.resolve((PARENT + group).substring(1) + "/" + unified)
                : MOUNT.resolve(controller + PARENT + group + "/" + old);
    }

    private static Path quota(String group) {
        return file("cpu", group, "cpu.cfs_quota_us", "vcpus/cpu.max");
    }

    private Path bundle(String name, String cpu) throws IOException {
        return cli.bundle(name, "sleep 1000", json -> linux(json, name, cpu));
    }

    private static void linux(ObjectNode json, String name, String cpu) {
        ObjectNode linux = (ObjectNode) json.get("linux");
        linux.put("cgroupsPath", PARENT + "/" + name);
        try {
            linux.withObject("/resources").set("cpu", Cli.JSON.readTree(cpu));
        } catch (IOException e) {
            throw new IllegalArgumentException(e);
        }
    }

    private long pid(String program) {
        return ProcessHandle.allProcesses()
                .filter(process -> Cli.commandLine(process.pid()).contains(directory.toString())
                        && process.info().command().orElse("").contains(program))
                .findFirst()
                .orElseThrow()
                .pid();
    }

    private static String groupsOf(Path process) throws IOException {
        return Files.readString(process.resolve("cgroup"));
    }

    private static String line(String controller, String below) {
        return (UNIFIED ? "0:" : controller) + ":" + PARENT + below + "\n";
    }

    @Test
    void processorsAreLimitedAsTheContainerIs() throws Exception {
        cli.create("c", bundle("c", "{\"quota\": 50000, \"period\": 100000, \"shares\": 512, \"cpus\": \"0\"}"));
        cli.run("start", "c").succeeds();
        Path qemu = Path.of("/proc/" + pid("qemu-system"));
        assertThat(groupsOf(qemu)).doesNotContain(line("cpu", "/kata_c")).contains(line("memory", "/kata_c"));
        try (Stream<Path> threads = Files.list(qemu.resolve("task"))) {
            assertThat(threads.filter(thread -> {
                        try {
                            return groupsOf(thread).contains(line("cpu", UNIFIED ? "/kata_c/vcpus" : "/kata_c"));
                        } catch (IOException e) {
                            return false; // it has ended
                        }
                    }))
                    .isNotEmpty();
        }
        assertThat(Files.readString(quota("/kata_c"))).startsWith("50000");
        Path cpus = file("cpuset", "/kata_c", "cpuset.cpus", "vcpus/cpuset.cpus");
        assertThat(Files.readString(cpus)).isEqualTo("0\n");
        cli.run("update", "--cpu-quota", "70000", "--cpuset-cpus", "1", "c").succeeds();
        assertThat(Files.readString(quota("/kata_c"))).startsWith("70000");
        assertThat(Files.readString(cpus)).isEqualTo("1\n");
        cli.run("delete", "--force", "c").succeeds();
        assertThat(groups("kata_c")).isEmpty();
        cli.assertNothingLeft();
    }

    @Test
    void aPodHasTheSumOfItsContainers() throws Exception {
        cli.create("pod", cli.bundle("pod-bundle", "sleep 1000", json -> {
            linux(json, "pod", "{\"shares\": 2}");
            annotate(json, "sandbox");
        }));
        cli.run("start", "pod").succeeds();
        for (String id : List.of("one", "two")) {
            cli.create(id, cli.bundle(id + "-bundle", "sleep 1000", json -> {
                linux(json, id, "{\"quota\": 20000, \"period\": 100000, \"shares\": 300}");
                annotate(json, "container");
            }));
        }
        assertThat(Files.readString(quota("/kata_pod"))).startsWith("40000");
        cli.run("delete", "two").succeeds();
        assertThat(Files.readString(quota("/kata_pod"))).startsWith("20000");
        cli.run("update", "--cpu-quota", "-1", "one").succeeds();
        assertThat(Files.readString(quota("/kata_pod"))).startsWith(UNIFIED ? "max" : "-1");
        cli.run("delete", "--force", "pod").succeeds();
        cli.run("delete", "--force", "one").succeeds();
        assertThat(groups("kata_pod")).isEmpty();
        cli.assertNothingLeft();
    }

    private static void annotate(ObjectNode json, String type) {
        json.putObject("annotations")
                .put("io.kubernetes.cri.container-type", type)
                .put("io.kubernetes.cri.sandbox-id", "pod");
    }

    @Test
    void allProcessesAreInTheGroupItselfIfTheConfigurationSaysSo() throws Exception {
        Path configuration =
                Files.writeString(directory.resolve("configuration.toml"), "[runtime]\nsandbox_cgroup_only = true\n");
        Path bundle = bundle("c", "{\"quota\": 50000}");
        cli.run("--kata-config", configuration.toString(), "run", "--detach", "--bundle", bundle.toString(), "c")
                .succeeds();
        long supervisor = cli.state("c").get("pid").longValue();
        for (long pid : List.of(pid("qemu-system"), pid("virtiofsd"), supervisor)) {
            assertThat(groupsOf(Path.of("/proc/" + pid)))
                    .as(Cli.commandLine(pid))
                    .contains(line("cpu", "/c"), line("memory", "/c"));
        }
        assertThat(ProcessHandle.of(supervisor).orElseThrow().destroyForcibly()).isTrue();
        cli.awaitStatus("c", "stopped");
        cli.run("delete", "c").succeeds();
        assertThat(groups("c")).isEmpty();
        cli.assertNothingLeft();
    }
}
