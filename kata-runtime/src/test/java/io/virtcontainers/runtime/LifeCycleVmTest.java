// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.virtcontainers.HostProcess;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** The commands of the runtime-spec by hand, on a bundle of busybox. */
class LifeCycleVmTest extends WithCli {
    @Test
    void theLifeOfAContainer() throws Exception {
        Path pidFile = directory.resolve("pid");
        Path bundle = cli.bundle("trap 'exit 7' TERM; echo started; while true; do sleep 0.1; done");
        Path out = cli.create("c", bundle, "--pid-file", pidFile.toString());

        JsonNode created = cli.state("c");
        assertThat(created.get("ociVersion").textValue()).isEqualTo("1.0.2");
        assertThat(created.get("id").textValue()).isEqualTo("c");
        assertThat(created.get("status").textValue()).isEqualTo("created");
        assertThat(created.get("bundle").textValue()).isEqualTo(bundle.toString());
        long pid = created.get("pid").longValue();
        assertThat(Files.readString(pidFile)).isEqualTo(Long.toString(pid));
        HostProcess supervisor = HostProcess.of(pid);
        cli.run("exec", "c", "true").fails("container c is created: it must be running");

        cli.run("start", "c").succeeds();
        Cli.awaitText(out, "started");
        assertThat(cli.status("c")).isEqualTo("running");
        cli.run("start", "c").fails("cannot start container c in the running state");
        cli.run("create", "--bundle", bundle.toString(), "c").fails("ID already in use: c");
        cli.run("delete", "c").fails("Container still running, should be stopped");

        Cli.Result exec = cli.runWith(
                "some input\n",
                "exec",
                "--env",
                "A=b c",
                "--cwd",
                "/tmp",
                "c",
                "sh",
                "-c",
                "cat; echo $A $PWD --help; echo to stderr >&2; exit 3",
                "--bundle");
        assertThat(exec).isEqualTo(new Cli.Result(3, "some input\nb c /tmp --help\n", "to stderr\n"));
        assertThat(cli.run("exec", "c", "no-such-program").code()).isEqualTo(127);

        assertThat(cli.run("ps", "c").succeeds().out()).startsWith("UID").contains("sleep 0.1");
        assertThat(cli.run("ps", "c", "-ef").succeeds().out()).contains("UID");
        assertThat(cli.run("ps", "--format", "json", "c")
                        .succeeds()
                        .json()
                        .get(0)
                        .isNumber())
                .isTrue();
        JsonNode listed = cli.run("list", "--format", "json").succeeds().json().get(0);
        assertThat(listed.get("id").textValue()).isEqualTo("c");
        assertThat(listed.get("pid").longValue()).isEqualTo(pid);
        List<String> table = cli.run("list").succeeds().out().lines().toList();
        assertThat(table.get(0)).startsWith("ID          PID         STATUS      BUNDLE");
        assertThat(table.get(1)).startsWith("c           " + pid);

        cli.run("pause", "c").succeeds();
        assertThat(cli.status("c")).isEqualTo("paused");
        cli.run("pause", "c").fails("paused");
        cli.run("exec", "c", "true").fails("container c is paused");
        cli.run("resume", "c").succeeds();
        cli.run("resume", "c").fails("running");

        cli.run("update", "--memory", "64m", "--pids-limit", "20", "c").succeeds();
        cli.runWith("{\"cpu\": {\"shares\": 512}}", "update", "--resources", "-", "c")
                .succeeds();
        JsonNode event = cli.run("events", "--stats", "c").succeeds().json();
        assertThat(event.get("type").textValue()).isEqualTo("stats");
        assertThat(event.at("/data/memory/usage/limit").longValue()).isEqualTo(64 << 20);
        assertThat(event.at("/data/pids/limit").longValue()).isEqualTo(20);
        assertThat(event.at("/data/cpu/usage/total").longValue()).isPositive();

        cli.run("kill", "c", "TERM").succeeds();
        cli.awaitStatus("c", "stopped");
        assertThat(supervisor.isAlive()).isFalse();
        assertThat(cli.state("c").has("pid")).isFalse();
        cli.run("kill", "c").fails("container not running");
        cli.run("kill", "--all", "c", "9").succeeds();
        cli.run("start", "c").fails("cannot start container c in the stopped state");
        cli.run("exec", "c", "true").fails("container c is stopped");

        cli.run("delete", "c").succeeds();
        cli.run("state", "c").fails("Container ID (c) does not exist");
        cli.run("delete", "c").fails("Container ID (c) does not exist");
        cli.run("delete", "--force", "c").succeeds();
        cli.run("kill", "c").succeeds();
        cli.assertNothingLeft();
    }

    @Test
    void runPassesOnStreamsAndExitCode() throws Exception {
        Path bundle = cli.bundle("cat; echo to stderr >&2; exit 42");
        Cli.Result run = cli.runWith("some input\n", "run", "--bundle", bundle.toString(), "c");
        assertThat(run).isEqualTo(new Cli.Result(42, "some input\n", "to stderr\n"));
        cli.assertNothingLeft();
    }

    @Test
    void aDeadSupervisorIsAStoppedContainer() throws Exception {
        cli.create("c", cli.bundle("sleep 1000"));
        cli.run("start", "c").succeeds();
        ProcessHandle supervisor =
                ProcessHandle.of(cli.state("c").get("pid").longValue()).orElseThrow();
        supervisor.destroyForcibly();
        supervisor.onExit().get(10, TimeUnit.SECONDS);
        assertThat(cli.status("c")).isEqualTo("stopped");
        cli.run("delete", "c").succeeds();
        cli.assertNothingLeft();
    }

    @Test
    void aCreatedOneCanBeDeletedAndARunningOneByForce() throws Exception {
        Path bundle = cli.bundle("sleep 1000");
        cli.create("c", bundle);
        cli.run("delete", "c").succeeds();
        cli.run("run", "--detach", "--bundle", bundle.toString(), "c").succeeds();
        assertThat(cli.status("c")).isEqualTo("running");
        cli.run("delete", "--force", "c").succeeds();
        cli.assertNothingLeft();
    }

    @Test
    void aCreateThatIsKilledLeavesNothing() throws Exception {
        Path bundle = cli.bundle("sleep 1000");
        File nothing = new File("/dev/null");
        Process create = cli.start(nothing, nothing, nothing, "create", "--bundle", bundle.toString(), "c");
        await().until(() -> cli.processes().stream().anyMatch(line -> line.contains("qemu-system")));
        create.destroyForcibly();
        cli.assertNothingLeft();
        cli.run("state", "c").fails("does not exist");
    }

    @Test
    void aMistakeShowsBeforeAnythingIsMade() throws Exception {
        Path bundle = cli.bundle("bundle", "true", json -> json.remove("process"));
        cli.run("create", "--bundle", bundle.toString(), "c").fails("config.json: process: missing");
        Path log = directory.resolve("log.json");
        cli.run("--log", log.toString(), "--log-format", "json", "create", "--bundle", "/nowhere", "c")
                .fails("/nowhere/config.json");
        List<String> lines = Files.readAllLines(log);
        assertThat(Cli.JSON.readTree(lines.get(lines.size() - 1)).get("level").textValue())
                .isEqualTo("error");
        cli.run("bogus").fails("Invalid command \"bogus\"");
        assertThat(Files.exists(cli.root)).isFalse();
    }

    @Test
    void aDeviceThatIsPassedThroughIsRefusedByName() throws Exception {
        Path vfio = cli.bundle(
                "vfio",
                "true",
                json -> json.withObject("/linux")
                        .withArray("devices")
                        .addObject()
                        .put("path", "/dev/vfio/7")
                        .put("type", "c")
                        .put("major", 240)
                        .put("minor", 0));
        cli.run("create", "--bundle", vfio.toString(), "c").fails("linux.devices[0].path: /dev/vfio/7: ");
        cli.assertNothingLeft();
    }
}
