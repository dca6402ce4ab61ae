// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** Kata's own commands about machines that run, or will. As root. */
class KataCommandsVmTest extends WithCli {
    @Test
    void theNetworkOfASandboxIsListedAndChanged() throws Exception {
        String name = "katanet-" + ProcessHandle.current().pid();
        EngineNeedsVmTest.ip("netns", "add", name);
        try {
            link(name, 0);
            Path bundle =
                    cli.bundle("bundle", "sleep 1000", json -> EngineNeedsVmTest.network(json, "/run/netns/" + name));
            cli.create("c", bundle);
            cli.run("start", "c").succeeds();
            JsonNode listed =
                    cli.run("kata-network", "list-ifaces", "c").succeeds().json();
            assertThat(listed.findValuesAsText("Name")).contains("eth0").doesNotContain("eth1");
            assertThat(listed.findValuesAsText("Address")).contains("192.0.2.1");
            link(name, 1);
            String wanted = "{\"device\": \"eth1\", \"name\": \"eth1\"}";
            JsonNode added = cli.runWith(wanted, "kata-network", "add-iface", "c", "-")
                    .succeeds()
                    .json();
            assertThat(added.path("Name").asText()).isEqualTo("eth1");
            assertThat(added.findValuesAsText("Address")).contains("198.51.100.1");
            ArrayNode routes = (ArrayNode)
                    cli.run("kata-network", "list-routes", "c").succeeds().json();
            routes.addObject()
                    .put("Dest", "203.0.113.0/24")
                    .put("Gateway", "198.51.100.9")
                    .put("Device", "eth1");
            Path file = Files.writeString(directory.resolve("routes.json"), routes.toString());
            JsonNode updated = cli.run("kata-network", "update-routes", "c", file.toString())
                    .succeeds()
                    .json();
            assertThat(updated.findValuesAsText("Dest")).contains("203.0.113.0/24");
            cli.runWith(wanted, "kata-network", "del-iface", "c", "-").succeeds();
            assertThat(cli.run("kata-network", "list-ifaces", "c")
                            .succeeds()
                            .json()
                            .findValuesAsText("Name"))
                    .doesNotContain("eth1");
            cli.runWith("{", "kata-network", "add-iface", "c", "-").fails("is no JSON");
            cli.runWith("{}", "kata-network", "add-iface", "c", "-").fails("must have a Device or a Name");
            cli.run("kata-network", "rename", "c").fails("is none of add-iface");
            cli.run("kata-network", "list-ifaces", "none").fails("does not exist");
            cli.run("delete", "--force", "c").succeeds();
            cli.assertNothingLeft();
        } finally {
            EngineNeedsVmTest.ip("netns", "delete", name);
        }
    }

    private static void link(String namespace, int number) throws Exception {
        String link = "eth" + number;
        EngineNeedsVmTest.ip("-n", namespace, "link", "add", link, "type", "veth", "peer", "name", "peer" + number);
        String address = (number == 0 ? "192.0.2.1" : "198.51.100.1") + "/24";
        EngineNeedsVmTest.ip("-n", namespace, "address", "add", address, "dev", link);
        EngineNeedsVmTest.ip("-n", namespace, "link", "set", link, "up");
        EngineNeedsVmTest.ip("-n", namespace, "link", "set", "peer" + number, "up");
    }

    @Test
    void theOverheadOfAMachineIsTold() throws Exception {
        cli.create("c", cli.bundle("sleep 1000"));
        cli.run("start", "c").succeeds();
        JsonNode overhead = cli.run("kata-overhead", "c").succeeds().json();
        assertThat(overhead.path("sandbox_id").asText()).isEqualTo("c");
        assertThat(overhead.path("memory_overhead_bytes").asLong()).isBetween(10L << 20, 2L << 30);
        assertThat(overhead.path("cpu_host").asDouble()).isBetween(0.0, 400.0);
        cli.run("kata-overhead").fails("Missing sandbox ID");
        cli.run("delete", "--force", "c").succeeds();
    }

    @Test
    void theFactoryMakesTellsAndDestroysATemplate() throws Exception {
        cli.run("factory", "init").fails("vm factory or VMCache is not enabled");
        assertThat(cli.run("factory", "status").succeeds().out()).isEqualTo("vm factory is off\n");
        Path config = Files.writeString(
                directory.resolve("configuration.toml"),
                "[hypervisor.qemu]\ndefault_memory = 256\nshared_fs = \"none\"\n[factory]\nenable_template = true\n");
        String option = "--kata-config=" + config;
        assertThat(cli.run(option, "factory", "init").succeeds().out()).isEqualTo("vm factory initialized\n");
        assertThat(cli.run(option, "factory", "status").succeeds().out())
                .startsWith("vm factory is on\ntemplate ")
                .doesNotContain("cannot be used");
        assertThat(cli.run(option, "factory", "destroy").succeeds().out()).isEqualTo("vm factory destroyed\n");
        assertThat(cli.run(option, "factory", "status").succeeds().out()).isEqualTo("vm factory is on\n");
        cli.run("factory", "build").fails("needs one of init, destroy, status");
    }
}
