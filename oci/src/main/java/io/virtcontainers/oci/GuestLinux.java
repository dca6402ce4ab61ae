// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.List;

/** The rules of {@link GuestSpec} for the part {@code linux}. */
final class GuestLinux {
    private static final String VFIO = "/dev/vfio";
    private static final int SYSTEMD_PARTS = 3;

    private GuestLinux() {}

    /** @param linux of a document that was read before */
    static void trim(ObjectNode linux, boolean seccomp) {
        linux.remove(List.of("mountLabel", "intelRdt"));
        if (!seccomp) {
            linux.remove("seccomp");
        }
        GuestSpec.edit(linux, "resources", ObjectNode.class, GuestLinux::trimResources);
        GuestSpec.edit(linux, "namespaces", ArrayNode.class, GuestLinux::trimNamespaces);
        GuestSpec.edit(linux, "devices", ArrayNode.class, GuestLinux::removeVfio);
        GuestSpec.edit(linux, "cgroupsPath", TextNode.class, path -> linux.put("cgroupsPath", plain(path.textValue())));
    }

    private static void trimResources(ObjectNode resources) {
        resources.remove(List.of("blockIO", "hugepageLimits", "network", "rdma"));
        GuestSpec.edit(resources, "cpu", ObjectNode.class, cpu -> cpu.remove(List.of("cpus", "mems")));
    }

    private static void trimNamespaces(ArrayNode namespaces) {
        namespaces.removeIf(json -> {
            ObjectNode namespace = (ObjectNode) json;
            boolean joined = !namespace.path("path").asText("").isEmpty();
            namespace.remove("path");
            return switch (namespace.get("type").textValue()) {
                case "network", "cgroup" -> true;
                case "pid" -> joined;
                default -> false;
            };
        });
    }

    private static void removeVfio(ArrayNode devices) {
        devices.removeIf(device -> (device.get("path").textValue() + '/').startsWith(VFIO + '/'));
    }

    private static String plain(String cgroupsPath) {
        String[] parts = cgroupsPath.split(":", -1);
        if (parts.length != SYSTEMD_PARTS) {
            return cgroupsPath;
        }
        return (parts[1].isEmpty() ? "/" : '/' + parts[1] + '/') + parts[2];
    }
}
