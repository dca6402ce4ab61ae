// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import static io.virtcontainers.oci.JsonObject.UINT32;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What only Linux has (runtime-spec, config-linux.md).
 *
 * @param uidMappings the user ids of the user namespace
 * @param gidMappings the group ids of the user namespace
 * @param sysctl kernel parameters (sysctl(8))
 * @param resources the limits
 * @param cgroupsPath the cgroup: a path, or {@code slice:prefix:name} for systemd
 * @param namespaces those that are made or joined, each type at most once
 * @param devices the device nodes to make
 * @param seccomp the filter of system calls
 * @param rootfsPropagation {@code shared}, {@code slave}, {@code private}, {@code unbindable} and so on
 * @param maskedPaths what cannot be seen
 * @param readonlyPaths what cannot be written
 * @param mountLabel the SELinux context of the mounts
 * @param intelRdt limits of Intel's Resource Director Technology (resctrl)
 * @param personality personality(2)
 * @param timeOffsets offsets of the time namespace's clocks by their names
 */
public record OciLinux(
        List<IdMapping> uidMappings,
        List<IdMapping> gidMappings,
        Map<String, String> sysctl,
        OciResources resources,
        Optional<String> cgroupsPath,
        List<Namespace> namespaces,
        List<Device> devices,
        Optional<OciSeccomp> seccomp,
        Optional<String> rootfsPropagation,
        List<String> maskedPaths,
        List<String> readonlyPaths,
        Optional<String> mountLabel,
        Optional<IntelRdt> intelRdt,
        Optional<Personality> personality,
        Map<String, TimeOffset> timeOffsets) {

    /** {@code size} ids from {@code containerId} on are those of the host from {@code hostId} on. */
    public record IdMapping(long containerId, long hostId, long size) {
        static IdMapping of(JsonObject json) {
            return new IdMapping(
                    json.requiredNumber("containerID", 0, UINT32),
                    json.requiredNumber("hostID", 0, UINT32),
                    json.requiredNumber("size", 0, UINT32));
        }
    }

    /** Without a path it is made, else joined: the file is a namespace of the host. */
    public record Namespace(String type, Optional<String> path) {
        static Namespace of(JsonObject json) {
            return new Namespace(
                    json.word("type", "pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"),
                    json.text("path"));
        }
    }

    /** Of type {@code c}, {@code b}, {@code u} or {@code p}; the last has no numbers. */
    public record Device(
            String path,
            String type,
            OptionalLong major,
            OptionalLong minor,
            OptionalLong fileMode,
            OptionalLong uid,
            OptionalLong gid) {
        static Device of(JsonObject json) {
            Device device = new Device(
                    json.requiredText("path"),
                    json.word("type", "c", "b", "u", "p"),
                    json.number("major"),
                    json.number("minor"),
                    json.number("fileMode", 0, UINT32),
                    json.number("uid", 0, UINT32),
                    json.number("gid", 0, UINT32));
            if (!device.type.equals("p") && device.major.isEmpty()) {
                throw json.error("major", "missing");
            }
            if (!device.type.equals("p") && device.minor.isEmpty()) {
                throw json.error("minor", "missing");
            }
            return device;
        }
    }

    /** Lines for resctrl's schemata; the flags ask for monitoring of the cache and of memory bandwidth. */
    public record IntelRdt(
            Optional<String> closId,
            Optional<String> schemata,
            Optional<String> l3CacheSchema,
            Optional<String> memBwSchema,
            boolean enableCmt,
            boolean enableMbm) {
        static IntelRdt of(JsonObject json) {
            return new IntelRdt(
                    json.text("closID"),
                    json.text("schemata"),
                    json.text("l3CacheSchema"),
                    json.text("memBwSchema"),
                    json.flag("enableCMT"),
                    json.flag("enableMBM"));
        }
    }

    /** The domain is {@code LINUX} or {@code LINUX32}; no flags are defined. */
    public record Personality(String domain, List<String> flags) {
        static Personality of(JsonObject json) {
            return new Personality(json.requiredText("domain"), json.texts("flags"));
        }
    }

    /** Seconds and, on top, nanoseconds. */
    public record TimeOffset(long secs, long nanosecs) {
        static TimeOffset of(JsonObject json) {
            return new TimeOffset(
                    json.number("secs").orElse(0),
                    json.number("nanosecs", 0, UINT32).orElse(0));
        }
    }

    static OciLinux of(JsonObject json) {
        return new OciLinux(
                json.objects("uidMappings", IdMapping::of),
                json.objects("gidMappings", IdMapping::of),
                json.textMap("sysctl"),
                json.objectOrEmpty("resources", OciResources::of),
                json.text("cgroupsPath"),
                namespaces(json),
                json.objects("devices", Device::of),
                json.object("seccomp", OciSeccomp::of),
                json.text("rootfsPropagation")
                        .map(unused -> json.word(
                                "rootfsPropagation",
                                "shared",
                                "rshared",
                                "slave",
                                "rslave",
                                "private",
                                "rprivate",
                                "unbindable",
                                "runbindable")),
                json.texts("maskedPaths"),
                json.texts("readonlyPaths"),
                json.text("mountLabel"),
                json.object("intelRdt", IntelRdt::of),
                json.object("personality", Personality::of),
                json.objectMap("timeOffsets", TimeOffset::of));
    }

    private static List<Namespace> namespaces(JsonObject json) {
        List<Namespace> namespaces = json.objects("namespaces", Namespace::of);
        for (int i = 0; i < namespaces.size(); i++) {
            String type = namespaces.get(i).type;
            if (namespaces.subList(0, i).stream().anyMatch(other -> other.type.equals(type))) {
                throw json.error("namespaces[" + i + "].type", JsonObject.shown(type) + " is there twice");
            }
        }
        return namespaces;
    }

    /** The namespace of this type that the container has of its own, or joins. */
    public Optional<Namespace> namespace(String type) {
        return namespaces.stream().filter(space -> space.type.equals(type)).findFirst();
    }
}
