// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.virtcontainers.HostCheck;
import io.virtcontainers.runtime.config.ConfigOption;
import io.virtcontainers.runtime.config.Configuration;
import io.virtcontainers.runtime.config.Options;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Sections and fields as Kata Containers has them; those of options come from their declarations. */
final class EnvReport {
    private static final String FORMAT_VERSION = "1.0.24";

    /** In the order of Kata Containers. */
    static final List<String> PLACES = List.of(
            "Meta.Version",
            "Runtime.Path",
            "Runtime.Debug",
            "Runtime.Trace",
            "Runtime.DisableGuestSeccomp",
            "Runtime.DisableNewNetNs",
            "Runtime.SandboxCgroupOnly",
            "Runtime.Experimental",
            "Runtime.Version.OCI",
            "Runtime.Version.Version.Semver",
            "Runtime.Version.Version.Major",
            "Runtime.Version.Version.Minor",
            "Runtime.Version.Version.Patch",
            "Runtime.Version.Version.Commit",
            "Runtime.Config.Path",
            "Hypervisor.MachineType",
            "Hypervisor.Version",
            "Hypervisor.Path",
            "Hypervisor.BlockDeviceDriver",
            "Hypervisor.EntropySource",
            "Hypervisor.SharedFS",
            "Hypervisor.VirtioFSDaemon",
            "Hypervisor.Msize9p",
            "Hypervisor.MemorySlots",
            "Hypervisor.PCIeRootPort",
            "Hypervisor.HotplugVFIOOnRootBus",
            "Hypervisor.Debug",
            "Hypervisor.UseVSock",
            "Image.Path",
            "Kernel.Path",
            "Kernel.Parameters",
            "Initrd.Path",
            "Proxy.Type",
            "Proxy.Version",
            "Proxy.Path",
            "Proxy.Debug",
            "Shim.Type",
            "Shim.Version",
            "Shim.Path",
            "Shim.Debug",
            "Agent.Type",
            "Agent.Debug",
            "Agent.Trace",
            "Agent.TraceMode",
            "Agent.TraceType",
            "Host.Kernel",
            "Host.Architecture",
            "Host.Distro.Name",
            "Host.Distro.Version",
            "Host.CPU.Vendor",
            "Host.CPU.Model",
            "Host.VMContainerCapable",
            "Host.SupportVSocks",
            "Netmon.Version",
            "Netmon.Path",
            "Netmon.Debug",
            "Netmon.Enable");

    /** Where an option that is not set finds its file: the place, and the check that tells. */
    private static final Map<String, String> FOUND =
            Map.of("Hypervisor.Path", "qemu", "Hypervisor.VirtioFSDaemon", "virtiofsd", "Kernel.Path", "guest kernel");

    private final Map<String, JsonNode> values = new HashMap<>();

    private EnvReport() {}

    static EnvReport of(Configuration configuration, List<HostCheck> checks) {
        EnvReport report = new EnvReport();
        for (ConfigOption<?> option : Options.all()) {
            option.environment().ifPresent(place -> report.put(place, configuration.get(option)));
        }
        FOUND.forEach((place, name) -> {
            if (report.text(place).isEmpty()) {
                report.put(place, named(checks, name).flatMap(HostCheck::file));
            }
        });
        report.putRuntime(configuration);
        report.putHost(checks);
        String hypervisor = report.text("Hypervisor.Path");
        report.put("Hypervisor.Version", hypervisor.isEmpty() ? "" : EnvHost.version(Path.of(hypervisor)));
        report.put("Proxy.Type", "noProxy");
        report.put("Shim.Type", "kataBuiltInShim");
        report.put("Agent.Type", "kata");
        for (String none :
                List.of("Proxy.Version", "Proxy.Path", "Shim.Version", "Shim.Path", "Netmon.Version", "Netmon.Path")) {
            report.put(none, "");
        }
        return report;
    }

    private static Optional<HostCheck> named(List<HostCheck> checks, String name) {
        return checks.stream().filter(check -> check.name().equals(name)).findFirst();
    }

    private void putRuntime(Configuration configuration) {
        put("Meta.Version", FORMAT_VERSION);
        put("Runtime.Config.Path", configuration.file());
        put("Runtime.Path", System.getProperty("kata.runtime.path", EnvHost.programFile()));
        put("Runtime.Version.OCI", Versions.OCI);
        String version = Versions.semantic();
        put("Runtime.Version.Version.Semver", version);
        put("Runtime.Version.Version.Commit", Versions.commit());
        String[] numbers = (version + ".0.0").split("[^0-9]+", -1);
        put("Runtime.Version.Version.Major", number(numbers[0]));
        put("Runtime.Version.Version.Minor", number(numbers[1]));
        put("Runtime.Version.Version.Patch", number(numbers[2]));
    }

    private static int number(String text) {
        return text.isEmpty() ? 0 : Integer.parseInt(text);
    }

    private void putHost(List<HostCheck> checks) {
        put("Host.Kernel", System.getProperty("os.version", ""));
        put("Host.Architecture", System.getProperty("os.arch", ""));
        put("Host.Distro.Name", EnvHost.distribution("NAME"));
        put("Host.Distro.Version", EnvHost.distribution("VERSION_ID"));
        put("Host.CPU.Vendor", EnvHost.processor("vendor_id"));
        put("Host.CPU.Model", EnvHost.processor("model name"));
        put("Host.VMContainerCapable", checks.stream().noneMatch(HostCheck::isFailed));
        put(
                "Host.SupportVSocks",
                named(checks, "vsock")
                        .filter(check -> check.outcome() == HostCheck.Outcome.OK)
                        .isPresent());
    }

    private void put(String place, Object value) {
        JsonNodeFactory json = JsonNodeFactory.instance;
        Object known = value instanceof Optional<?> optional
                ? optional.map(Object::toString).orElse("")
                : value;
        if (known instanceof List<?> list && place.equals("Kernel.Parameters")) {
            known = String.join(" ", list.stream().map(String::valueOf).toList());
        }
        if (known instanceof Boolean truth) {
            values.put(place, json.booleanNode(truth));
        } else if (known instanceof Integer number) {
            values.put(place, json.numberNode(number));
        } else if (known instanceof List<?> list) {
            ArrayNode array = json.arrayNode();
            list.forEach(item -> array.add(String.valueOf(item)));
            values.put(place, array);
        } else {
            values.put(place, json.textNode(known.toString()));
        }
    }

    private String text(String place) {
        JsonNode node = values.get(place);
        return node == null ? "" : node.asText();
    }

    private ObjectNode tree() {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        for (String place : PLACES) {
            List<String> names = List.of(place.split("\\.", -1));
            ObjectNode table = root;
            for (String name : names.subList(0, names.size() - 1)) {
                table = table.withObjectProperty(name);
            }
            JsonNode value = values.get(place);
            if (value == null) {
                throw new IllegalStateException("no value for " + place);
            }
            table.set(names.get(names.size() - 1), value);
        }
        return root;
    }

    String json() throws IOException {
        return new ObjectMapper().writerWithDefaultPrettyPrinter().writeValueAsString(tree());
    }

    String toml() {
        StringBuilder text = new StringBuilder();
        append(text, "", tree());
        return text.toString().strip();
    }

    /** JSON's strings, numbers, truth values and lists of strings are TOML's too. */
    private static void append(StringBuilder text, String path, ObjectNode table) {
        StringBuilder own = new StringBuilder();
        table.properties().forEach(field -> {
            if (!field.getValue().isObject()) {
                own.append(field.getKey())
                        .append(" = ")
                        .append(field.getValue())
                        .append('\n');
            }
        });
        if (!own.isEmpty()) {
            text.append('[').append(path).append("]\n").append(own).append('\n');
        }
        table.properties().forEach(field -> {
            if (field.getValue() instanceof ObjectNode inner) {
                append(text, path.isEmpty() ? field.getKey() : path + '.' + field.getKey(), inner);
            }
        });
    }
}
