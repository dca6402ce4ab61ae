// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.virtcontainers.GuestPath;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MemorySize;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What is left of a container's configuration for the guest, where the paths, devices and processors of the host mean
 * nothing or something else. The rules are those of Kata 1.x's kata_agent.go (createContainer, constraintGRPCSpec); where
 * this column is empty, all is as there:
 *
 * <table>
 * <caption>rules</caption>
 * <tr><th>part</th><th>what happens</th><th>how upstream differs, and why we do</th></tr>
 * <tr><td>{@code hooks}</td><td>removed: the host runs them</td><td></td></tr>
 * <tr><td>{@code process.selinuxLabel}, {@code linux.mountLabel}, {@code process.apparmorProfile}</td><td>removed</td>
 *   <td>clears only the first: no policy is loaded in the guest, so the others fail there</td></tr>
 * <tr><td>{@code process.capabilities} as a list</td><td>written as the five sets, the ambient one empty</td>
 *   <td>fills the ambient set too, which would give a plain user's programs what they did not have</td></tr>
 * <tr><td>{@code linux.seccomp}</td><td>removed unless it is asked for; refused with a listener, a socket of the host</td>
 *   <td>loses the listener, so that calls which ask it fail</td></tr>
 * <tr><td>{@code linux.resources.devices}</td><td>stays</td><td>removes it, so that a container with CAP_MKNOD, which is
 *   every ordinary one, reaches the disks of all containers of its pod</td></tr>
 * <tr><td>{@code linux.resources.pids}</td><td>stays</td><td>removes it, though its guest could keep it</td></tr>
 * <tr><td>{@code linux.resources.blockIO}</td><td>removed: it names disks of the host</td><td></td></tr>
 * <tr><td>{@code linux.resources.hugepageLimits}</td><td>removed: the guest has no huge pages, and Kubernetes sends
 *   limits for sizes that its processor may not have</td><td></td></tr>
 * <tr><td>{@code linux.resources.network}</td><td>removed: cgroup v1 only</td><td></td></tr>
 * <tr><td>{@code linux.resources.memory.kernel}, {@code kernelTCP}, {@code swappiness}, {@code disableOOMKiller}</td>
 *   <td>removed: cgroup v1 only; engines warn of them and go on</td><td>sends them: its guests have v1</td></tr>
 * <tr><td>{@code linux.resources.rdma}, {@code linux.intelRdt}</td><td>removed: hardware of the host</td>
 *   <td>loses them on the wire</td></tr>
 * <tr><td>{@code linux.resources.cpu.cpus} and {@code mems}</td><td>removed: numbers of the host</td><td></td></tr>
 * <tr><td>{@code linux.cgroupsPath}</td><td>systemd's {@code slice:prefix:name} becomes {@code /prefix/name}</td>
 *   <td></td></tr>
 * <tr><td>{@code linux.namespaces}</td><td>network removed; paths removed; a pid namespace with a path removed and
 *   reported as {@link #sharedPidNamespace}</td><td>removes the cgroup namespace too</td></tr>
 * <tr><td>{@code domainname}</td><td>becomes the sysctl {@code kernel.domainname}; as the host name it is that of the
 *   sandbox, so of all its containers</td><td>loses it on the wire</td></tr>
 * <tr><td>{@code linux.devices}</td><td>those of VFIO removed</td><td></td></tr>
 * <tr><td>{@code mounts} on {@code /dev/shm}</td><td>a bind mount becomes a tmpfs of the guest of a given size; a tmpfs
 *   stays as it is</td><td>ignores a tmpfs' size; for a pod, binds all containers to one tmpfs of the sandbox, which
 *   needs an agent that was told to make it</td></tr>
 * <tr><td>bind {@code mounts} of {@code /proc} and {@code /sys} or from below them</td><td>removed</td><td></td></tr>
 * <tr><td>other bind {@code mounts}</td><td>kept, and listed in {@link #hostMounts}</td><td>recognizes them by their type
 *   only, and removes those on {@code /dev} and on device nodes without a word</td></tr>
 * </table>
 *
 * <p>What is removed and said something is logged, in one line. All else stays: what the guest cannot do either, as a time
 * namespace, it refuses by name; docs/oci.md has the list. Upstream's KATA_AGENT_PIDNS
 * is not known here, since no agent of ours has that function.
 *
 * @param spec the configuration; its bind mounts still have their sources on the host
 * @param sharedPidNamespace whether the container joins the pid namespace of its sandbox
 * @param hostMounts its bind mounts, in order
 */
public record GuestSpec(OciSpec spec, boolean sharedPidNamespace, List<HostMount> hostMounts) {
    public GuestSpec {
        hostMounts = List.copyOf(hostMounts);
    }

    /**
     * Trims a configuration.
     *
     * @param bundle the directory that relative sources of bind mounts begin at
     * @param sharedMemory the size of {@code /dev/shm} where the host would have mounted its own
     * @param seccomp whether the guest filters system calls; its agent must be able to
     * @throws InvalidConfigException naming the field, if a part has a meaning on the host only and cannot be left out
     */
    public static GuestSpec of(OciSpec spec, Path bundle, MemorySize sharedMemory, boolean seccomp) {
        if (seccomp) {
            spec.linux().seccomp().flatMap(OciSeccomp::listenerPath).ifPresent(GuestSpec::refuseListener);
        }
        GuestMounts mounts = new GuestMounts(spec, bundle);
        LeftOut leftOut = new LeftOut();
        OciSpec trimmed = spec.with(json -> {
            json.remove("hooks");
            json.remove("domainname");
            spec.domainname().ifPresent(name -> json.withObject("/linux/sysctl").put("kernel.domainname", name));
            edit(json, "process", ObjectNode.class, process -> trimProcess(process, spec, leftOut));
            edit(json, "linux", ObjectNode.class, linux -> GuestLinux.trim(linux, seccomp, leftOut));
            edit(json, "mounts", ArrayNode.class, array -> mounts.trim(array, sharedMemory));
        });
        leftOut.log();
        boolean sharesPids =
                spec.linux().namespace("pid").flatMap(OciLinux.Namespace::path).isPresent();
        return new GuestSpec(trimmed, sharesPids, mounts.ofHost());
    }

    private static void refuseListener(String path) {
        throw new InvalidConfigException("linux.seccomp.listenerPath: " + JsonObject.shown(path)
                + " is a socket of the host, which the guest cannot reach");
    }

    private static void trimProcess(ObjectNode process, OciSpec spec, LeftOut leftOut) {
        leftOut.remove(process, "process", "selinuxLabel", "apparmorProfile");
        if (process.path("capabilities").isArray()) {
            OciProcess.Capabilities sets =
                    spec.process().flatMap(OciProcess::capabilities).orElseThrow();
            ObjectNode object = process.putObject("capabilities");
            fill(object.putArray("bounding"), sets.bounding());
            fill(object.putArray("effective"), sets.effective());
            fill(object.putArray("inheritable"), sets.inheritable());
            fill(object.putArray("permitted"), sets.permitted());
        }
    }

    private static void fill(ArrayNode array, List<String> texts) {
        texts.forEach(array::add);
    }

    /** Changes a part of a checked document, if it is there. */
    static <T extends JsonNode> void edit(ObjectNode json, String name, Class<T> type, Consumer<T> change) {
        @Nullable JsonNode part = json.get(name);
        if (part != null && !part.isNull()) {
            change.accept(type.cast(part));
        }
    }

    /** The configuration as the guest gets it, without the bind mounts of the host. */
    String toJsonWithoutHostMounts() {
        return spec.with(json -> edit(json, "mounts", ArrayNode.class, GuestMounts::removeBinds))
                .toJson();
    }

    /**
     * The configuration as the guest gets it, every bind mount with its source there.
     *
     * @param storage where in the guest the storage layer has put the source of a mount
     * @throws InvalidConfigException naming the first mount that it has put nowhere
     */
    public String toJson(Function<HostMount, Optional<GuestPath>> storage) {
        return spec.with(json ->
                        edit(json, "mounts", ArrayNode.class, mounts -> GuestMounts.place(mounts, hostMounts, storage)))
                .toJson();
    }
}
