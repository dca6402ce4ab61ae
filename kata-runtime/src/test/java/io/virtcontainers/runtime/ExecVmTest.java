// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Processes that a container's supervisor starts for others: how they end, and how many there can be. */
class ExecVmTest extends WithCli {
    private static final File NOTHING = new File("/dev/null");
    private static final int MANY = 12;

    private void awaitProcess(String word, boolean there) {
        await().atMost(Duration.ofSeconds(30))
                .until(() -> cli.run("ps", "c").succeeds().out().contains(word) == there);
    }

    private int threads(long pid) throws IOException {
        String status = Files.readString(Path.of("/proc/" + pid + "/status"));
        return Integer.parseInt(status.replaceFirst("(?s).*\nThreads:\\s*", "").replaceFirst("(?s)\n.*", ""));
    }

    @Test
    void aProcessEndsWithItsSupervisorHoweverThatEnds() throws Exception {
        cli.create("c", cli.bundle("sleep 1000"));
        cli.run("start", "c").succeeds();
        Process foreground = cli.start(NOTHING, NOTHING, NOTHING, "exec", "c", "sleep", "601");
        Path pidFile = directory.resolve("pid");
        cli.run("exec", "--detach", "--pid-file", pidFile.toString(), "c", "sleep", "602")
                .succeeds();
        awaitProcess("sleep 601", true);
        awaitProcess("sleep 602", true);
        Process unused = foreground.destroyForcibly();
        awaitProcess("sleep 601", false);
        awaitProcess("sleep 602", true);
        assertThat(ProcessHandle.of(Long.parseLong(Files.readString(pidFile)))
                        .orElseThrow()
                        .destroyForcibly())
                .isTrue();
        awaitProcess("sleep 602", false);
        assertThat(cli.status("c")).isEqualTo("running");
    }

    @Test
    void whatAProcessLeavesBehindHoldsNothingUp() throws Exception {
        cli.create("c", cli.bundle("sleep 1000"));
        cli.run("start", "c").succeeds();
        cli.run("exec", "c", "true").succeeds();
        long supervisor = cli.state("c").get("pid").longValue();
        int before = threads(supervisor);
        assertThat(cli.run("exec", "c", "sh", "-c", "sleep 603 & echo it goes on"))
                .isEqualTo(new Cli.Result(0, "it goes on\n", ""));
        awaitProcess("sleep 603", true);
        assertThat(cli.runWith("x".repeat(300_000), "exec", "c", "true").code()).isZero(); // it reads nothing
        await().atMost(Duration.ofSeconds(30)).until(() -> threads(supervisor) <= before + 2); // Java's own come and go
        Process exec = cli.start(NOTHING, NOTHING, NOTHING, "exec", "c", "sleep", "604");
        awaitProcess("sleep 604", true);
        cli.run("kill", "c", "KILL").succeeds(); // with it, all its processes
        assertThat(exec.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(exec.exitValue()).isEqualTo(137);
        cli.awaitStatus("c", "stopped");
        cli.run("delete", "c").succeeds();
        cli.assertNothingLeft();
    }

    @Test
    @Timeout(600)
    void aPodHasManyContainersAndManyExecs() throws Exception {
        Map<String, String> pod = Map.of("io.kubernetes.cri.sandbox-id", "pod");
        for (String id : IntStream.rangeClosed(0, MANY)
                .mapToObj(i -> i == 0 ? "pod" : "c" + i)
                .toList()) {
            Map<String, String> annotations = new TreeMap<>(pod);
            annotations.put("io.kubernetes.cri.container-type", id.equals("pod") ? "sandbox" : "container");
            cli.create(
                    id,
                    cli.bundle(
                            "bundle-" + id,
                            "sleep 1000",
                            json -> json.set("annotations", Cli.JSON.valueToTree(annotations))));
            cli.run("start", id).succeeds();
        }
        List<Process> execs = new ArrayList<>();
        for (int i = 1; i <= MANY; i++) {
            File out = directory.resolve("exec-" + i).toFile();
            execs.add(cli.start(NOTHING, out, out, "exec", "c" + i, "sh", "-c", "echo up; exec sleep 1000"));
        }
        for (int i = 1; i <= MANY; i++) {
            Path out = directory.resolve("exec-" + i);
            await().atMost(Duration.ofSeconds(90))
                    .until(() -> Files.readString(out).equals("up\n"));
        }
        for (Process exec : execs) {
            exec.destroy(); // passed on, as it is there
            assertThat(exec.waitFor(60, TimeUnit.SECONDS)).isTrue();
            assertThat(exec.exitValue()).isEqualTo(143);
        }
        for (int i = 1; i <= MANY; i++) {
            cli.run("delete", "--force", "c" + i).succeeds();
        }
        cli.run("delete", "--force", "pod").succeeds();
        cli.assertNothingLeft();
    }
}
