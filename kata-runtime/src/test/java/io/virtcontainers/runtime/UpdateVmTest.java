// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Every option of {@code update}, seen in the files of the guest's cgroup, or refused by name. */
class UpdateVmTest extends WithCli {
    private static final String LIMITS =
            "cd /sys/fs/cgroup; cat cpu.weight cpu.max memory.max memory.low memory.swap.max pids.max";

    private String limits() throws IOException, InterruptedException {
        return cli.run("exec", "c", "sh", "-c", LIMITS).succeeds().out().replace('\n', ' ');
    }

    @Test
    void whatIsNotRefusedIsInTheGuest() throws Exception {
        cli.create(
                "c",
                cli.bundle(
                        "bundle",
                        "sleep 1000",
                        json -> json.withObject("/linux")
                                .withArray("namespaces")
                                .addObject()
                                .put("type", "cgroup")));
        cli.run("start", "c").succeeds();
        cli.run(
                        "update",
                        "--cpu-share=2",
                        "--cpu-quota=20000",
                        "--cpu-period=50000",
                        "--memory=64m",
                        "--memory-reservation=8m",
                        "--memory-swap=96m",
                        "--pids-limit=20",
                        "c")
                .succeeds();
        assertThat(limits()).isEqualTo("1 20000 50000 67108864 8388608 33554432 20 ");
        cli.run("update", "--memory=128m", "--pids-limit=-1", "c").succeeds();
        assertThat(limits()).isEqualTo("1 20000 50000 134217728 8388608 33554432 max ");
        cli.runWith("""
                        {"cpu": {"shares": 262144, "quota": -1, "cpus": "", "mems": ""},
                         "memory": {"limit": 67108864, "swap": -1}, "pids": {"limit": 30},
                         "devices": [{"allow": false, "access": "rwm"}], "hugepageLimits": [{"pageSize": "2MB", "limit": 0}]}
                        """, "update", "-r", "-", "c").succeeds();
        assertThat(limits()).isEqualTo("10000 max 50000 67108864 8388608 max 30 ");

        for (String option : new String[] {
            "blkio-weight",
            "cpu-rt-period",
            "cpu-rt-runtime",
            "cpuset-mems",
            "kernel-memory",
            "kernel-memory-tcp",
            "l3-cache-schema",
            "mem-bw-schema",
            "cpu-burst",
            "cpu-idle"
        }) {
            cli.run("update", "--" + option, "1", "--pids-limit=7", "c").fails("update: " + option + ": ");
        }
        cli.run("update", "--cpuset-cpus", "0", "c").fails("the sandbox has no cgroup there");
        cli.run("update", "--memory", "-1", "c").fails("memory size");
        Map<String, String> refused = Map.of(
                "blockIO", "{\"blockIO\": {\"weight\": 100}}",
                "memory.swappiness", "{\"memory\": {\"swappiness\": 5}}",
                "cpu.realtimePeriod", "{\"cpu\": {\"realtimePeriod\": 5}}",
                "hugepageLimits", "{\"hugepageLimits\": [{\"pageSize\": \"2MB\", \"limit\": 1}]}",
                "unified", "{\"unified\": {\"memory.high\": \"5\"}}");
        for (Map.Entry<String, String> field : refused.entrySet()) {
            cli.runWith(field.getValue(), "update", "--resources=-", "c").fails("update: " + field.getKey() + ": ");
        }
        assertThat(limits()).isEqualTo("10000 max 50000 67108864 8388608 max 30 ");
    }
}
