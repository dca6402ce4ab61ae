// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.virtcontainers.runtime.log.LogEntry;
import io.virtcontainers.testkit.GenericKernel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The configuration, the log and the check of the host, by hand on booted machines. */
class ConfigurationVmTest extends WithCli {
    private static final String SCRIPT =
            "grep -o 'virt.marker=[a-z]*' /proc/cmdline; grep MemTotal /proc/meminfo; nproc";

    private Path configuration(String text) throws IOException {
        return Files.writeString(directory.resolve("configuration.toml"), text);
    }

    @Test
    void aMachineIsAsTheFileAndTheAnnotationsSay() throws Exception {
        Path file = configuration("""
                [hypervisor.qemu]
                kernel_params = "virt.marker=file"
                default_memory = 300
                enable_annotations = ["default_memory"]
                """);
        Path bundle = cli.bundle("bundle", SCRIPT, json -> {});
        Cli.Result plain = cli.run("--kata-config", file.toString(), "run", "--bundle", bundle.toString(), "a")
                .succeeds();
        assertThat(plain.out()).contains("virt.marker=file\n");
        assertThat(kib(plain.out())).isBetween(200_000L, 300L << 10);

        Path annotated = cli.bundle(
                "annotated",
                SCRIPT,
                json -> json.putObject("annotations").put("io.katacontainers.config.hypervisor.default_memory", "500"));
        Cli.Result more = cli.run("--kata-config=" + file, "run", "--bundle", annotated.toString(), "b")
                .succeeds();
        assertThat(kib(more.out())).isBetween(400_000L, 500L << 10);
        cli.assertNothingLeft();
    }

    private static long kib(String output) {
        return output.lines()
                .filter(line -> line.startsWith("MemTotal"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void filesAreSharedBy9pIfTheFileSaysSo() throws Exception {
        Path file = configuration("""
                [hypervisor.qemu]
                kernel = "%s"
                default_memory = 300
                shared_fs = "virtio-9p"
                msize_9p = 65536
                """.formatted(GenericKernel.find()));
        Path live = Files.createDirectory(directory.resolve("live"));
        Path bundle = cli.bundle("bundle", "echo line > /live/written; grep ' / 9p ' /proc/mounts", json -> {
            ObjectNode mount = json.withArray("mounts").addObject();
            mount.put("destination", "/live").put("type", "bind").put("source", live.toString());
            mount.putArray("options").add("rbind").add("rw");
        });
        Cli.Result result = cli.run("--kata-config", file.toString(), "run", "--bundle", bundle.toString(), "a")
                .succeeds();
        assertThat(result.out()).contains("msize=65536");
        assertThat(live.resolve("written")).hasContent("line\n");
        cli.assertNothingLeft();
    }

    @Test
    void aMistakeOrAnAnnotationThatIsNotEnabledStartsNothing() throws Exception {
        Path bad = configuration("[hypervisor.qemu]\ndefault_vcpus = 500\n");
        Path bundle = cli.bundle("true");
        Cli.Result result = cli.run("--kata-config", bad.toString(), "run", "--bundle", bundle.toString(), "a");
        assertThat(result)
                .isEqualTo(
                        new Cli.Result(
                                1,
                                "",
                                bad.toRealPath()
                                        + ":2: [hypervisor.qemu] default_vcpus = 500: must be a whole number from -1 to 240\n"));
        Path annotated = cli.bundle(
                "annotated",
                "true",
                json -> json.putObject("annotations")
                        .put("io.katacontainers.config.hypervisor.kernel_params", "init=/bin/sh"));
        cli.run("run", "--bundle", annotated.toString(), "a").fails("is not enabled");
        cli.assertNothingLeft();
    }

    @Test
    void theLogTellsOfTheRuntimeTheLibraryTheAgentAndTheConsole() throws Exception {
        Path file = configuration(
                "[hypervisor.qemu]\nenable_debug = true\ndefault_memory = 300\n[agent.kata]\nenable_debug = true\n");
        Path log = directory.resolve("log");
        Path bundle = cli.bundle("true");
        cli.run(
                        "--kata-config",
                        file.toString(),
                        "--log",
                        log.toString(),
                        "--log-format",
                        "json",
                        "run",
                        "--bundle",
                        bundle.toString(),
                        "logged")
                .succeeds();
        cli.run("--log", log.toString(), "--log-format", "json", "state", "logged")
                .fails("does not exist");

        List<LogEntry> entries = new ArrayList<>();
        for (String line : Files.readAllLines(log)) {
            JsonNode json = Cli.JSON.readTree(line);
            assertThat(json.path("level").asText()).as(line).isNotEmpty();
            assertThat(json.path("msg").isTextual()).as(line).isTrue();
            entries.add(LogEntry.parse(line));
        }
        assertThat(entries.get(entries.size() - 1).message()).isEqualTo("Container ID (logged) does not exist");
        Cli.Result merged = cli.run("kata-log-parser", "--sandbox", "logged", log.toString())
                .succeeds();
        assertThat(merged.err()).contains(" 0 of them not of a log's form").contains("agent=", "vmconsole=");
        assertThat(merged.out())
                .contains("source=agent", "source=vmconsole", "source=virtcontainers subsystem=qemu")
                .contains("Linux version");
        assertThat(merged.out().lines()).isSorted();
    }

    @Test
    void theCheckBootsAMachineAsRootAndNamesWhatIsMissing() throws Exception {
        Path file = configuration("[hypervisor.qemu]\ndefault_memory = 300\n");
        Cli.Result good = cli.run("--kata-config", file.toString(), "kata-check", "--verbose")
                .succeeds();
        assertThat(good.out())
                .contains("ok       qemu: ", "ok       guest kernel: ", "ok       virtiofsd: ")
                .endsWith("""
                        System is capable of running Kata Containers
                        System can currently create Kata Containers
                        """);
        JsonNode env = cli.run("--kata-config", file.toString(), "kata-env", "--json")
                .succeeds()
                .json();
        assertThat(env.at("/Hypervisor/Version").asText()).startsWith("QEMU emulator version");
        assertThat(env.at("/Kernel/Path").asText()).isNotEmpty();
        assertThat(env.at("/Host/VMContainerCapable").asBoolean()).isTrue();
        Path broken = configuration("[hypervisor.qemu]\npath = \"/bin/true\"\n");
        Cli.Result bad =
                cli.run("--kata-config", broken.toString(), "kata-check").fails("ERROR: qemu: /bin/true");
        assertThat(bad.err())
                .contains("install QEMU")
                .endsWith("ERROR: System is not capable of running Kata Containers\n");
        cli.run("kata-check", "--only-list-releases").fails("is not supported");
        assertThat(cli.run("--kata-show-default-config-paths").succeeds().out()).isEqualTo("""
                        /etc/kata-containers/configuration.toml
                        /usr/share/defaults/kata-containers/configuration.toml
                        """);
        assertThat(cli.run("kata-config").succeeds().out()).contains("\n#default_memory = 2048\n");
    }
}
