// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;

/** The rules of {@link GuestSpec} for the part {@code linux}. */
final class GuestLinux {
    private static final String VFIO = "/dev/vfio";
    private static final int SYSTEMD_PARTS = 3;

    private GuestLinux() {}

    /** @param linux of a document that was read before */
    static void trim(ObjectNode linux, boolean seccomp, LeftOut leftOut) {
        leftOut.remove(linux, "linux", "mountLabel", "intelRdt");
        if (!seccomp) {
            leftOut.remove(linux, "linux", "seccomp");
        }
        GuestSpec.edit(linux, "resources", ObjectNode.class, resources -> trimResources(resources, leftOut));
        GuestSpec.edit(linux, "namespaces", ArrayNode.class, GuestLinux::trimNamespaces);
        GuestSpec.edit(linux, "devices", ArrayNode.class, GuestLinux::removeVfio);
        GuestSpec.edit(linux, "cgroupsPath", TextNode.class, path -> linux.put("cgroupsPath", plain(path.textValue())));
    }

    private static void trimResources(ObjectNode resources, LeftOut leftOut) {
        String path = "linux.resources";
        leftOut.remove(resources, path, "blockIO", "hugepageLimits", "network", "rdma");
        GuestSpec.edit(resources, "cpu", ObjectNode.class, cpu -> leftOut.remove(cpu, path + ".cpu", "cpus", "mems"));
        GuestSpec.edit(
                resources,
                "memory",
                ObjectNode.class,
                memory -> leftOut.remove(
                        memory, path + ".memory", "kernel", "kernelTCP", "swappiness", "disableOOMKiller"));
    }

    private static void trimNamespaces(ArrayNode namespaces) {
        namespaces.removeIf(json -> {
            ObjectNode namespace = (ObjectNode) json;
            boolean joined = !namespace.path("path").asText("").isEmpty();
            namespace.remove("path");
            return switch (namespace.get("type").textValue()) {
                case "network" -> true;
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
