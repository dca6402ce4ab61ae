// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.HostProcess;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SharedFs;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.VirtException;
import io.virtcontainers.oci.Bundle;
import io.virtcontainers.oci.ContainerType;
import io.virtcontainers.oci.GuestSpec;
import io.virtcontainers.oci.HookKind;
import io.virtcontainers.oci.HookRunner;
import io.virtcontainers.oci.HostMount;
import io.virtcontainers.oci.OciHooks;
import io.virtcontainers.oci.OciLinux;
import io.virtcontainers.runtime.Registry.Entry;
import io.virtcontainers.runtime.config.Configuration;
import io.virtcontainers.runtime.config.ConfigurationFile;
import io.virtcontainers.runtime.config.Options;
import io.virtcontainers.runtime.log.Level;
import io.virtcontainers.runtime.log.RuntimeLog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Makes a container of a bundle, with its sandbox if it brings up one, in the process that stands for it from then on. A
 * failure leaves nothing.
 */
final class Creation {
    /** Beside them is /dev/vfio/vfio, which engines may give to everybody and which is nothing by itself. */
    private static final String VFIO_GROUPS = "/dev/vfio/";

    private final Containers containers;
    private final Configuration configuration;
    private final String id;
    private final Bundle bundle;
    private final Entry entry;

    /** Reads and checks the bundle; what is wrong with it is found here, before anything is made. */
    Creation(Containers containers, String id, Path directory, GlobalOptions options) {
        this.containers = containers;
        this.id = Registry.checked(id);
        bundle = Bundle.load(directory);
        this.configuration = ConfigurationFile.load(options.kataConfig()).withAnnotations(bundle.annotations());
        if (configuration.get(Options.RUNTIME_DEBUG) || configuration.get(Options.ENABLE_DEBUG)) {
            RuntimeLog.current().level(Level.DEBUG);
        }
        entry = new Entry(
                id,
                bundle.containerType() == ContainerType.SANDBOX ? id : bundle.sandboxId(id),
                bundle.directory(),
                bundle.spec().ociVersion(),
                HostProcess.current(),
                bundle.annotations());
        requireNoVfio(bundle.spec().linux().devices());
        OciHooks hooks = bundle.spec().hooks();
        if (!hooks.forGuest().isEmpty()) {
            throw new UnsupportedException("hooks." + hooks.forGuest().get(0)
                    + ": hooks in the container's namespaces are in the guest, where" + " the host's programs are not");
        }
    }

    /** The agent would be given a list without them, and the container would lack them without a word. */
    private static void requireNoVfio(List<OciLinux.Device> devices) {
        for (int i = 0; i < devices.size(); i++) {
            String path = devices.get(i).path();
            if (path.startsWith(VFIO_GROUPS) && !path.equals(VFIO_GROUPS + "vfio")) {
                throw new UnsupportedException("linux.devices[" + i + "].path: " + path
                        + ": kata-runtime passes no devices of the host through");
            }
        }
    }

    Entry entry() {
        return entry;
    }

    Container make() throws IOException {
        containers.registry().claim(entry);
        try {
            return inSandbox(sandbox());
        } catch (VirtException | IOException e) {
            containers.registry().remove(id);
            throw e;
        }
    }

    private Sandbox sandbox() throws IOException {
        return entry.isSandbox()
                ? containers.library().run(sandboxConfig())
                : containers.library().sandbox(entry.sandbox());
    }

    private Container inSandbox(Sandbox sandbox) throws IOException {
        try {
            Container container = sandbox.createContainer(containerConfig(sandbox.config()));
            try {
                container.shim(entry.supervisor());
                if (sandbox.config().cgroup().isPresent()) {
                    bundle.spec()
                            .linux()
                            .resources()
                            .cpu()
                            .cpus()
                            .ifPresent(list -> SandboxCgroup.cpus(container, list));
                    SandboxCgroup.limit(sandbox);
                }
                HookRunner hooks = new HookRunner(bundle.spec().hooks());
                hooks.run(HookKind.PRESTART, containers.state(entry));
                hooks.run(HookKind.CREATE_RUNTIME, containers.state(entry));
                return container;
            } catch (VirtException e) {
                undo(e, container::delete);
                throw e;
            }
        } catch (VirtException e) {
            if (entry.isSandbox()) {
                undo(e, sandbox::delete);
            }
            throw e;
        }
    }

    private static void undo(VirtException failure, Runnable work) {
        try {
            work.run();
        } catch (VirtException e) {
            failure.addSuppressed(e);
        }
    }

    /** What the configuration says: the library adds what the containers may use, up to what the machine can have. */
    private SandboxConfig sandboxConfig() throws IOException {
        SandboxConfig.Builder sandbox = configuration
                .applyTo(bundle.sandboxConfig(id))
                .detached(true)
                .network(Networks.of(bundle.spec().linux(), configuration.networkModel()));
        SandboxCgroup.of(bundle.spec().linux().cgroupsPath(), configuration.get(Options.SANDBOX_CGROUP_ONLY))
                .ifPresent(sandbox::cgroup);
        return sandbox.build();
    }

    private ContainerConfig containerConfig(SandboxConfig sandbox) {
        GuestSpec guest = bundle.guestSpec(/* seccomp= */ !configuration.get(Options.DISABLE_GUEST_SECCOMP));
        if (sandbox.hypervisor().sharedFs().type() != SharedFs.NONE) {
            return bundle.liveContainerConfig(id, guest);
        }
        guest.hostMounts().forEach(Creation::requireCopyable);
        return bundle.containerConfig(id, guest);
    }

    /** What is written to a copy of a directory would be lost, where an engine wants it on the host. */
    private static void requireCopyable(HostMount mount) {
        Path source = Path.of(mount.mount().source().orElseThrow());
        if (Files.isDirectory(source) && !mount.mount().options().contains("ro")) {
            throw new UnsupportedException(mount.jsonPath() + ": " + source
                    + " can be shared with the guest by root only; as another user, mount it read-only");
        }
    }
}
