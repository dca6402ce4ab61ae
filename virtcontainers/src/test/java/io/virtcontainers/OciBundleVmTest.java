// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.SOON;
import static io.virtcontainers.VmFixture.output;
import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.oci.Bundle;
import io.virtcontainers.oci.GuestSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** OCI bundles on a real virtual machine. */
@Tag("vm")
@Timeout(120)
class OciBundleVmTest {
    @TempDir
    Path directory;

    private VmFixture fixture;

    @BeforeEach
    void open() throws IOException {
        fixture = new VmFixture(directory);
    }

    @AfterEach
    void close() throws IOException {
        fixture.close();
    }

    /** As {@code runc spec} and the engines write it. */
    private Bundle bundle(String name, String command, String pidNamespace) throws IOException {
        Path bundle = Files.createDirectories(directory.resolve(name));
        Files.writeString(bundle.resolve("config.json"), """
                {
                  "ociVersion": "1.1.0",
                  "invented": {"kept": true},
                  "process": {
                    "user": {"uid": 12, "gid": 34, "additionalGids": [56]},
                    "args": ["sh", "-c", "%s"],
                    "env": ["PATH=/bin", "OPTION=a=b=c"],
                    "cwd": "/tmp",
                    "capabilities": {
                      "bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]
                    },
                    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 123, "soft": 123}],
                    "noNewPrivileges": true
                  },
                  "root": {"path": "%s", "readonly": true},
                  "hostname": "from-the-bundle",
                  "mounts": [
                    {"destination": "/proc", "type": "proc", "source": "proc"},
                    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                     "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
                    {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]},
                    {"destination": "/bundle", "type": "bind", "source": ".", "options": ["rbind", "ro"]}
                  ],
                  "annotations": {"org.example.key": "value"},
                  "linux": {
                    "resources": {"memory": {"limit": 67108864}, "pids": {"limit": 50}},
                    "namespaces": [
                      {"type": "pid"%s}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}
                    ],
                    "maskedPaths": ["/proc/kcore"],
                    "readonlyPaths": ["/proc/sys"]
                  }
                }
                """.formatted(command, fixture.rootfs, pidNamespace));
        return Bundle.load(bundle);
    }

    private static Container create(Sandbox sandbox, Bundle bundle, String id) {
        GuestSpec guest = bundle.guestSpec(/* seccomp= */ false);
        return sandbox.createContainer(bundle.containerConfig(id, guest));
    }

    @Test
    void runsAsItsConfigurationSays() throws Exception {
        Bundle bundle = bundle(
                "bundle",
                "id; hostname; echo $OPTION; pwd; ulimit -n; grep CapBnd /proc/self/status; ls /bundle; touch /x 2>&1; cat"
                        + " /sys/fs/cgroup/memory.max 2>/dev/null; exit 6",
                "");
        try (Sandbox sandbox = fixture.vc.run(
                bundle.sandboxConfig("s").memory(MemorySize.mib(256)).build())) {
            Container container = create(sandbox, bundle, "c");
            assertThat(output(container))
                    .contains("uid=12 gid=34 groups=56")
                    .contains("from-the-bundle\na=b=c\n/tmp\n123\n")
                    .contains("CapBnd:\t0000000000000020\nconfig.json\n")
                    .contains("Read-only file system");
            assertThat(container.process().waitFor(SOON).code()).isEqualTo(6);
            assertThat(container.annotations()).containsEntry("org.example.key", "value");
            assertThat(container.config().resources().memoryLimit()).contains(MemorySize.mib(64));
        }
    }

    @Test
    void containersWithASharedPidNamespaceSeeEachOther() throws Exception {
        Bundle one = bundle("one", "sleep 1000000", ", \"path\": \"/proc/1/ns/pid\"");
        Bundle two = bundle("two", "ps | grep -c 'sleep 1000000$'", ", \"path\": \"/proc/1/ns/pid\"");
        Bundle alone = bundle("alone", "ps | grep -c 'sleep 1000000$'", "");
        try (Sandbox sandbox = fixture.vc.run(
                one.sandboxConfig("s").memory(MemorySize.mib(256)).build())) {
            create(sandbox, one, "one").start();
            assertThat(output(create(sandbox, two, "two"))).isEqualTo("1\n");
            assertThat(output(create(sandbox, alone, "alone"))).isEqualTo("0\n");
        }
    }
}
